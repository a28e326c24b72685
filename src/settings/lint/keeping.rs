//! Whether it is kept longer than it should be.

use crate::consent::Policy;
use crate::settings::{Keep, kept};

use super::{Found, Subject};

pub(super) fn look(subject: &Subject<'_>, found: &mut Found) {
    let queue = subject.queue;
    let system = subject.system();
    let (calls, recordings) = kept(queue, &system);
    for (key, own, all) in [
        ("retention", queue.retention, system.retention.calls),
        ("file-removal", queue.file_removal, system.retention.recordings),
    ] {
        if let Some(own) = own.filter(|own| *own > all) {
            let what = format!(
                "{} is longer than the system's {}: the longer time holds here.",
                long(own),
                long(all)
            );
            found.warn("longer-than-system", key, what);
        }
    }
    if queue.recording == Policy::Never && !queue.override_allowed {
        return;
    }
    let files = queue.file_removal.unwrap_or(system.retention.recordings);
    if files > calls {
        let what = format!(
            "Recordings are to be kept {}, call data {}: the earlier removes them, so the longer time never comes.",
            long(files),
            long(calls)
        );
        let key = if queue.file_removal.is_some() { "file-removal" } else { "retention" };
        // With "forever" nobody has meant a time.
        if files == Keep::Forever {
            found.note("longer-than-call-data", key, what);
        } else {
            found.warn("longer-than-call-data", key, what);
        }
    }
    if recordings == Keep::Forever {
        let what = "Recordings are kept for ever: nothing removes them. Say how long they are needed.";
        found.warn("kept-for-ever", "file-removal", what);
    }
}

fn long(keep: Keep) -> String {
    match keep {
        Keep::Forever => "for ever".to_owned(),
        Keep::For(span) => crate::settings::sentence::long(span),
    }
}
