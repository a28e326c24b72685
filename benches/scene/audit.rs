//! Rows of the audit log as a call writes them: most name a person, some have a value before and after.

use sayso::audit::{Actor, AuditEvent, Class, Head, Object, Row, Value};
use sayso::ids::CallId;
use ulid::Ulid;

use super::START;

/// Event `n`.
pub(crate) fn event(n: u64) -> AuditEvent {
    let call = Object::new("call", CallId::new(Ulid(u128::from(n) + 1)));
    let number = format!("+49301{:06}", n % 1_000_000);
    match n % 3 {
        0 => AuditEvent::new(Class::ALL[0], Actor::Caller, START, "consent.given", call)
            .about(Some(number))
            .new_value(Some(Value::plain("yes, key 1, rfc4733"))),
        1 => AuditEvent::new(Class::ALL[0], Actor::Agent("ada".into()), START, "call.connected", call)
            .about(Some(number)),
        _ => AuditEvent::new(
            Class::ALL[0],
            Actor::User("admin".to_owned()),
            START,
            "queue.changed",
            Object::new("queue", "sales").attribute("wrap-up"),
        )
        .old(Some(Value::plain("10s")))
        .new_value(Some(Value::plain("20s"))),
    }
}

/// The next row of a chain.
pub(crate) fn append(n: u64, head: Head) -> Row {
    let salt = |what: u8| [what ^ n.to_le_bytes()[0]; sayso::audit::SALT_LEN];
    Row::seal(event(n), head, [salt(1), salt(2), salt(3)])
}

/// A chain of so many rows.
pub(crate) fn chain(rows: u64) -> Vec<Row> {
    let mut head = Head::EMPTY;
    let next = |n| {
        let row = append(n, head);
        head = row.head();
        row
    };
    (0..rows).map(next).collect()
}
