//! What is entered at the terminal, line by line.

use std::io::BufRead as _;

use tokio::sync::mpsc;

/// Lines as they are entered; none when nobody can enter any.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    // A thread and no task: a read of the terminal cannot be called off, and must not hold up the end.
    let spawned = std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "what is entered is not read");
    }
    lines
}
