//! A server of its own for unit tests, and recordings in it.

use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;
use ulid::Ulid;

use super::{Notices, Server, Shared, keys};
use crate::call::Fact;
use crate::config::Config;
use crate::consent::RecordingPermit;
use crate::ids::RecordingId;
use crate::settings::Language;
use crate::store::Change;
use crate::time::Clock;

/// A server in a folder of its own, that is to outlive it. One call has arrived.
pub(super) async fn server() -> (TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = Config { data: dir.path().join("data"), ..Config::default() };
    (config.sip.udp, config.sip.tcp, config.http.listen) = (vec![here], vec![here], here);
    config.media.ip = here.ip();
    config.vault.reserve = 0;
    let server = Server::start(&config, Clock::start(), Notices::new(16)).await.unwrap();
    let shared = &server.shared;
    let arrived = Fact::Arrived {
        call: RecordingPermit::for_test(RecordingId::new(Ulid(0)), shared.vault.draw_key()).call(),
        at: shared.clock.now(),
        from: None,
        dialled: "100".to_owned(),
        trunk: None,
        queue: "support".into(),
        language: Language("en".to_owned()),
    };
    shared.store.commit(vec![Change::Fact(arrived)]).await.unwrap();
    (dir, server)
}

/// A recording whose row is stored.
pub(super) async fn armed(shared: &Shared) -> RecordingPermit {
    let permit = RecordingPermit::for_test(RecordingId::new(Ulid::generate()), shared.vault.draw_key());
    let place = (shared.vault.spool_id(), shared.vault.format().word());
    keys::arm(&shared.store, shared.vault.keyring(), &permit, place, shared.clock.now()).await.unwrap();
    permit
}

/// What its row says it is.
pub(super) async fn state(shared: &Shared, id: RecordingId) -> String {
    shared.store.recording(id).await.unwrap().unwrap().state
}

/// Whether the audit log says it of the recording.
pub(super) async fn said(shared: &Shared, id: RecordingId, action: &str) -> bool {
    shared.store.audit_position(&id.to_string(), action).await.unwrap().is_some()
}
