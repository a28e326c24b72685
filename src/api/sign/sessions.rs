//! One's own sessions: which there are, and ending one.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::api::desk::{Desk, Ended, soon};
use crate::api::guard::Visitor;
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class};
use crate::store::{Change, SessionChange, SessionKey, SessionRow};

use super::user_object;

/// The user's sessions that live, the one used last first.
///
/// # Errors
/// When the database refuses.
pub(in crate::api) async fn own_sessions(desk: &Desk, visitor: &Visitor) -> Result<Vec<SessionRow>, Problem> {
    let mut rows = soon(desk.store().sessions(&visitor.user, &visitor.account)).await?;
    rows.retain(|row| row.session.lives(&visitor.system.sessions, desk.now()));
    Ok(rows)
}

/// What a session is called where it is listed: enough of its key to tell it from others, which opens nothing.
pub(in crate::api) fn id_of(key: SessionKey) -> String {
    hex::encode(&key.0[..12])
}

/// Ends one of the user's sessions.
///
/// # Errors
/// 404 `no-session`.
pub(in crate::api) async fn end_own(desk: &Arc<Desk>, visitor: &Visitor, id: &str) -> Result<(), Problem> {
    let rows = own_sessions(desk, visitor).await?;
    let Some(row) = rows.into_iter().find(|row| id_of(row.key) == id) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "no-session", "You have no such session."));
    };
    let what = user_object(&visitor.user).attribute("session");
    let event = AuditEvent::new(Class::Rights, visitor.actor(), desk.now(), "user.session-ended", what);
    let ended = Change::Session(SessionChange::Ended { key: row.key });
    desk.store().commit(vec![ended, Change::Audit(event)]).await?;
    desk.over(&Ended::One(visitor.user.clone(), row.key));
    Ok(())
}
