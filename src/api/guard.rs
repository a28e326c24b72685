//! Who asks, and whether they may: the session's cookie, the right of the route, no other site's page.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::{Held, Owes, Right, Session, Standing};
use crate::audit::Actor;
use crate::ids::{AgentId, QueueId};
use crate::settings::{System, User};
use crate::store::{Change, SessionChange, SessionKey, Sight};
use crate::time::Timestamp;

use super::control::Asker;
use super::desk::Desk;
use super::problem::Problem;
use super::sign;

/// The session's cookie. Where there is TLS a browser takes one of this name only if it is `Secure` and of this very
/// host (RFC 6265bis §4.1.3.2): no other host of the domain can set it.
pub(super) const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-sayso" } else { "sayso" }
}

/// The header without which nothing is changed: a page of another site cannot send it without our leave.
const OURS: &str = "x-sayso";

/// What a route asks of who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: the log-in. Reading needs not even our own page, since a provider's page leads back here.
    Nothing,
    /// A session, be there something it owes first.
    Session,
    /// A session.
    User,
    /// A session of a user with this right.
    Right(Right),
    /// A session of a user with one of these rights.
    Any(&'static [Right]),
    /// A session of a user who is an agent and has one of these rights.
    Agent(&'static [Right]),
}

impl Needs {
    /// In words, for the OpenAPI document: rights, or `session`, `user`.
    pub(super) fn words(self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Session => vec!["session".to_owned()],
            Self::User => vec!["user".to_owned()],
            Self::Right(right) => vec![right.word().to_owned()],
            Self::Any(any) | Self::Agent(any) => any.iter().map(|right| right.word().to_owned()).collect(),
        }
    }
}

/// How somebody came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// With a password, and perhaps a code.
    Password,
    /// By an OpenID Connect provider's word.
    Provider(String),
    /// A machine, with the token of this name.
    Token(String),
}

/// Who asks: a session that holds, or a token.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) key: SessionKey,
    /// The user's name; of a machine `token NAME by USER`, which is no user's.
    pub(super) user: String,
    /// The user; of a machine that of its token's maker, without the telephone.
    pub(super) account: User,
    /// What the role, and who granted more, gave.
    pub(super) held: Held,
    pub(super) session: Session,
    pub(super) by: By,
    pub(super) standing: Standing,
    /// What holds for the whole system now.
    pub(super) system: System,
}

impl Visitor {
    /// What has to be done before anything else.
    pub(super) fn owes(&self) -> Option<Owes> {
        self.standing.owes(&self.system, self.session)
    }

    /// When the session is over whatever is done.
    pub(super) fn ends(&self) -> Timestamp {
        self.session.ends(&self.system.sessions)
    }

    pub(super) fn has(&self, right: Right) -> bool {
        self.held.has(right)
    }

    /// For what is not of one queue or another.
    ///
    /// # Errors
    /// 403, when the user's rights hold for some queues.
    pub(super) fn of_all_queues(&self) -> Result<(), Problem> {
        if self.held.queues().is_none() {
            return Ok(());
        }
        let detail = "Your rights hold for some queues, and this is for all.";
        Err(Problem::new(StatusCode::FORBIDDEN, "no-right", detail))
    }

    /// Whether the user's rights hold for this queue.
    pub(super) fn sees(&self, queue: &QueueId) -> bool {
        self.held.sees(queue)
    }

    /// Which people's data this visitor may see.
    pub(super) fn sight(&self) -> Sight {
        Sight { queues: self.held.queues().cloned(), restricted: self.has(Right::Dpo) }
    }

    /// The agent this user is.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn agent(&self) -> Result<&AgentId, Problem> {
        self.account.agent.as_ref().ok_or_else(no_agent)
    }

    pub(super) fn asker(&self) -> Asker {
        Asker { user: self.user.clone(), agent: self.account.agent.clone() }
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::User(self.user.clone())
    }
}

/// Lets a request through to its route, or refuses it.
pub(super) async fn guard(
    State((desk, needs)): State<(Arc<Desk>, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&desk, needs, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn admit(desk: &Desk, needs: Needs, request: &mut Request) -> Result<(), Problem> {
    if needs == Needs::Nothing {
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        return if reads { Ok(()) } else { own_page(desk, request.method(), request.headers()) };
    }
    // No page can have a browser send a token.
    let visitor = if let Some(token) = sign::bearer(request.headers()) {
        sign::token(desk, token).await?
    } else {
        own_page(desk, request.method(), request.headers())?;
        visitor(desk, request.headers()).await?.ok_or_else(Problem::not_logged_in)?
    };
    owes_nothing(&visitor, needs)?;
    may(&visitor, needs)?;
    request.extensions_mut().insert(visitor);
    Ok(())
}

/// Whether what a session owes is done, where it has to be.
fn owes_nothing(visitor: &Visitor, needs: Needs) -> Result<(), Problem> {
    let (title, detail) = match visitor.owes() {
        Some(_) if needs == Needs::Session => return Ok(()),
        None => return Ok(()),
        Some(Owes::Password) => {
            ("change-password-first", "The password has to be changed before anything else is done.")
        }
        Some(Owes::SecondFactor) => {
            ("add-second-factor-first", "A second factor has to be added before anything else is done.")
        }
    };
    Err(Problem::new(StatusCode::FORBIDDEN, title, detail))
}

/// Whether a user may use a route.
fn may(visitor: &Visitor, needs: Needs) -> Result<(), Problem> {
    let machine = matches!(visitor.by, By::Token(_));
    match needs {
        Needs::Session | Needs::User | Needs::Agent(_) if machine => {
            let detail = "This is for people: no token does it.";
            Err(Problem::new(StatusCode::FORBIDDEN, "no-right", detail))
        }
        Needs::Nothing | Needs::Session | Needs::User => Ok(()),
        Needs::Right(right) if visitor.has(right) => Ok(()),
        Needs::Any(any) if any.iter().any(|right| visitor.has(*right)) => Ok(()),
        Needs::Agent(any) if any.iter().any(|right| visitor.has(*right)) => visitor.agent().map(drop),
        Needs::Right(_) | Needs::Any(_) | Needs::Agent(_) => Err(no_right()),
    }
}

pub(super) fn no_right() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "no-right", "Your role does not hold the right that this needs.")
}

fn no_agent() -> Problem {
    let detail = "This user is no agent and has no telephone here: the settings of the user name the agent.";
    Problem::new(StatusCode::FORBIDDEN, "no-agent", detail)
}

/// The visitor whose session's cookie a request brings, if it lives. Its use is noted.
///
/// # Errors
/// When the database refuses.
pub(super) async fn visitor(desk: &Desk, headers: &HeaderMap) -> Result<Option<Visitor>, Problem> {
    let Some(key) = session_key(headers, desk.secure()) else { return Ok(None) };
    let visitor = desk.visitor(key).await?;
    if let Some(visitor) = &visitor {
        let now = desk.now();
        if visitor.session.to_be_touched(now) {
            // Nobody waits for it: at worst the session ends a minute early.
            drop(desk.store().submit(vec![Change::Session(SessionChange::Used { key, at: now })]).await);
        }
    }
    Ok(visitor)
}

/// The session that the cookie names.
pub(super) fn session_key(headers: &HeaderMap, secure: bool) -> Option<SessionKey> {
    cookie_of(headers, cookie_name(secure)).map(key_of)
}

/// The cookie of this name.
pub(super) fn cookie_of<'h>(headers: &'h HeaderMap, named: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == named).map(|(_, value)| value)
}

/// What a session or a token for machines is stored as: who reads the database cannot use it.
pub(super) fn key_of(token: &str) -> SessionKey {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    SessionKey(key)
}

/// Refuses what another site's page has a browser send (CSRF). Browsers say by `Sec-Fetch-Site` and `Origin`
/// whose page it is; clients that say neither are no browsers, and are asked for our header all the same.
fn own_page(desk: &Desk, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, "not-from-here", detail));
    let text = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    if text("sec-fetch-site").is_some_and(|site| site != b"same-origin" && site != b"none") {
        return refused("The page of another site asked for this.");
    }
    if [Method::GET, Method::HEAD].contains(method) {
        return Ok(());
    }
    if text(OURS) != Some(b"1") {
        return refused("The header X-Sayso: 1 is missing.");
    }
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("?"));
    match (origin, host(headers)) {
        (None, _) => Ok(()),
        (Some(origin), _) if desk.url().is_some_and(|url| url.eq_ignore_ascii_case(origin)) => Ok(()),
        (Some(origin), Some(host)) => {
            let from = origin.split_once("://").map(|(_, from)| from);
            let ours = from.is_some_and(|from| from.eq_ignore_ascii_case(host.as_str()));
            if ours { Ok(()) } else { refused("The page of another site asked for this.") }
        }
        (Some(_), None) => refused("The page of another site asked for this."),
    }
}

/// The host and port the client asked.
pub(super) fn host(headers: &HeaderMap) -> Option<Authority> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    host.parse().ok().filter(|authority: &Authority| !authority.as_str().contains('@'))
}
