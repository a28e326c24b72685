//! Agents' states.

use sqlx::Row as _;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::AgentId;
use crate::queue::AgentState;
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::query::json;
use super::writer::Work;

impl Work<'_> {
    /// Writes an agent's state; coming, going, ready and not ready with an audit event.
    pub(super) async fn agent(
        &mut self,
        agent: &AgentId,
        state: &AgentState,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let before = self.agent_state(agent).await?;
        let upsert = "INSERT INTO agent_states (agent, state, at) VALUES ($1, $2, $3) \
                      ON CONFLICT (agent) DO UPDATE SET state = excluded.state, at = excluded.at";
        sqlx::query(upsert)
            .bind(agent.0.clone())
            .bind(json("agent_states", "state", state)?)
            .bind(at.as_micros())
            .execute(&mut *self.connection)
            .await
            .doing("storing an agent's state")?;
        let (old, new) = (presence(&before), presence(state));
        // Between two calls an agent goes from call to ready: no decision of anybody's.
        if new.is_none() || old == new || (old.is_none() && matches!(state, AgentState::Ready { .. })) {
            return Ok(());
        }
        let what = Object::new("agent", agent).attribute("state");
        let event = AuditEvent::new(Class::Presence, Actor::Agent(agent.clone()), at, "agent.state", what);
        self.audit(event.old(old.map(Value::Plain)).new_value(new.map(Value::Plain)));
        Ok(())
    }

    async fn agent_state(&mut self, agent: &AgentId) -> Result<AgentState, StoreError> {
        let row = sqlx::query("SELECT state FROM agent_states WHERE agent = $1")
            .bind(agent.0.clone())
            .fetch_optional(&mut *self.connection)
            .await
            .doing("reading an agent's state")?;
        let Some(row) = row else { return Ok(AgentState::LoggedOff) };
        let corrupt = StoreError::Corrupt { table: "agent_states", column: "state" };
        let text: String = row.try_get("state").map_err(|_| corrupt.clone())?;
        serde_json::from_str(&text).map_err(|_| corrupt)
    }
}

/// The state as a choice of the agent's; `None` while a call decides.
fn presence(state: &AgentState) -> Option<String> {
    match state {
        AgentState::LoggedOff => Some("logged off".to_owned()),
        AgentState::Ready { .. } => Some("ready".to_owned()),
        AgentState::NotReady(why) => Some(format!("not ready: {}", why.reason)),
        AgentState::Ringing(_) | AgentState::Talking(_) | AgentState::WrapUp { .. } => None,
    }
}
