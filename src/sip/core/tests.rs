//! The endpoint in virtual time: two of them over a bad network, and one against hand-written
//! messages.

mod bench;
mod browsers;
mod calls;
mod defence;
mod faults;
mod forks;
mod in_dialog;
mod interleaved;
mod pair;
mod particulars;
mod probes;
mod reach;
mod refers;
mod refresh;
mod registrations;
mod reliable;
mod requests;
mod spoof;
mod streams;
mod torture;
mod traces;
mod trunk_calls;
mod update;

use bench::{Request, Sent};

use super::io::Login;
use super::wire::{self, Message, Method};

/// The request again, with the answer to a challenge.
fn bench_login(request: &Request, challenge: &Sent, user: &str, password: &str) -> Request {
    let Ok(Message::Response(response)) = wire::parse(challenge.text.clone().into()) else {
        panic!("no response")
    };
    let login = Login { user: user.to_owned(), password: password.to_owned() };
    let method = Method::parse(&request.method.clone().into());
    let best = wire::challenges(&response).into_iter().max_by_key(|c| c.algorithm.strength());
    let challenge = best.expect("a challenge");
    let name = String::from_utf8_lossy(challenge.response_header().canonical()).into_owned();
    let value = wire::credentials(&challenge, &login, &method, &request.uri, 1, "cnonce");
    let mut again = request.clone().with(&format!("{name}: {value}"));
    again.cseq += 1;
    again.branch.push('a');
    again
}
