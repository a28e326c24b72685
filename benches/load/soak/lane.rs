//! A lane of the soak: a caller, an agent and a colleague with a queue of their own, who go through every
//! kind of call again and again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::phone::{Manner, Phone, Stand};

const FRAME: Duration = Duration::from_millis(20);
/// Prompts, ringing and the arming of a recording take their time.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long a conversation lasts at each step.
const TALK: Duration = Duration::from_millis(1_500);

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The caller agrees; the caller hangs up.
    Recorded,
    /// The caller refuses; the agent hangs up.
    Refused,
    /// Holds by both, audio that moves, then the caller hangs up.
    Moves,
    /// A blind transfer to the colleague.
    Transferred,
    /// One to a colleague who is busy: the call comes back.
    Returned,
    /// The caller takes back the call, before its answer or while the agent rings.
    Cancelled,
    /// The caller's phone dies in conversation.
    Vanished,
    /// Noise and strangers beside a call.
    Babble,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Recorded,
        Self::Refused,
        Self::Moves,
        Self::Transferred,
        Self::Returned,
        Self::Cancelled,
        Self::Vanished,
        Self::Babble,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Refused => "refused",
            Self::Moves => "holds and moves",
            Self::Transferred => "transferred",
            Self::Returned => "transfer returned",
            Self::Cancelled => "given up early",
            Self::Vanished => "caller vanished",
            Self::Babble => "noise, strangers",
        }
    }
}

/// What a lane stumbled over.
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

pub(crate) struct Lane {
    number: String,
    colleague: String,
    caller: Phone,
    ada: Phone,
    bob: Phone,
    /// Nobody the server knows.
    stranger: Phone,
    turns: u32,
}

type Step = Result<(), String>;

impl Lane {
    pub(crate) fn new(server: SocketAddr, n: usize) -> io::Result<Self> {
        let loopback = |last| IpAddr::from([127, 0, 0, last]);
        let phone = |last, user: &str| Phone::new(server, loopback(last), user);
        Ok(Self {
            number: number(n),
            colleague: format!("bob{n}"),
            caller: phone(2, &format!("+4930700{n:03}"))?,
            ada: phone(1, &format!("ada{n}"))?,
            bob: phone(1, &format!("bob{n}"))?,
            stranger: phone(9, "stranger")?,
            turns: 0,
        })
    }

    /// Both agents log on.
    pub(crate) fn register(&mut self) -> Step {
        self.ada.register(None);
        self.bob.register(None);
        let on = |phone: &Phone| phone.answers.contains(&("REGISTER".to_owned(), 200));
        self.wait("both agents to log on", |lane| on(&lane.ada) && on(&lane.bob))
    }

    /// One call of this kind; afterwards all phones are idle.
    pub(crate) fn run(&mut self, kind: Kind) -> Result<(), Failure> {
        self.turns += 1;
        let done = match kind {
            Kind::Recorded => self.recorded(),
            Kind::Refused => self.refused(),
            Kind::Moves => self.moves(),
            Kind::Transferred => self.transferred(),
            Kind::Returned => self.returned(),
            Kind::Cancelled => self.cancelled(),
            Kind::Vanished => self.vanished(),
            Kind::Babble => self.babble(),
        };
        let done = done.and_then(|()| self.wait("all phones to be idle", Self::is_idle));
        done.map_err(|what| {
            // The next call begins anew, whatever became of this one.
            for phone in [&mut self.caller, &mut self.ada, &mut self.bob] {
                phone.vanish();
            }
            Failure { kind, what }
        })
    }

    fn is_idle(lane: &Self) -> bool {
        [&lane.caller, &lane.ada, &lane.bob].iter().all(|phone| phone.is_idle())
    }

    /// The caller and the agent are brought together.
    fn meet(&mut self, key: char) -> Step {
        self.ada.manner = Manner::PicksUp;
        let number = self.number.clone();
        self.caller.call(&number);
        self.wait("an answer", |lane| lane.caller.stand == Stand::Up)?;
        // Before the question is asked a key means nothing: again until an agent comes.
        let mut pressed = Instant::now();
        let end = pressed + PATIENCE;
        while self.ada.stand != Stand::Up {
            if Instant::now() >= end {
                return Err("no agent came".to_owned());
            }
            if pressed.elapsed() > Duration::from_millis(700) {
                pressed = Instant::now();
                self.caller.press(key);
            }
            self.turn();
        }
        self.talk()
    }

    /// They hear one another for a while.
    fn talk(&mut self) -> Step {
        let before = (self.caller.heard, self.ada.heard + self.bob.heard);
        self.pass(TALK);
        let after = (self.caller.heard, self.ada.heard + self.bob.heard);
        let least = 30;
        if after.0 < before.0 + least || after.1 < before.1 + least {
            return Err(format!("they do not hear one another: packets {before:?}, then {after:?}"));
        }
        Ok(())
    }

    fn recorded(&mut self) -> Step {
        self.meet('1')?;
        self.caller.hang_up();
        Ok(())
    }

    fn refused(&mut self) -> Step {
        self.meet('2')?;
        self.ada.hang_up();
        Ok(())
    }

    fn moves(&mut self) -> Step {
        self.meet('1')?;
        for direction in ["sendonly", "sendrecv", "inactive", "sendrecv"] {
            self.ada.reinvite(direction);
            self.answered(200, |lane| &lane.ada, "the agent's re-INVITE")?;
            self.pass(TALK / 3);
        }
        for _ in 0..2 {
            self.caller.move_audio().map_err(|error| error.to_string())?;
            self.answered(200, |lane| &lane.caller, "the caller's re-INVITE")?;
            self.talk()?;
        }
        self.caller.hang_up();
        Ok(())
    }

    fn transferred(&mut self) -> Step {
        self.meet('1')?;
        self.bob.manner = Manner::PicksUp;
        let colleague = self.colleague.clone();
        self.ada.refer(&colleague);
        self.wait("the colleague", |lane| lane.bob.stand == Stand::Up)?;
        self.wait("the agent's leave", |lane| lane.ada.told == [200] && lane.ada.stand == Stand::Idle)?;
        self.talk()?;
        self.caller.hang_up();
        Ok(())
    }

    fn returned(&mut self) -> Step {
        self.meet('2')?;
        self.bob.manner = Manner::Busy;
        let colleague = self.colleague.clone();
        self.ada.refer(&colleague);
        self.wait("the refusal to be told", |lane| lane.ada.told.iter().any(|status| *status >= 400))?;
        self.talk()?;
        self.caller.hang_up();
        Ok(())
    }

    fn cancelled(&mut self) -> Step {
        let number = self.number.clone();
        match self.turns % 3 {
            0 => {
                self.caller.call(&number);
                self.caller.cancel();
                self.wait("an end or an answer", |lane| lane.caller.stand != Stand::Early)?;
            }
            1 => {
                self.caller.call(&number);
                self.wait("an answer", |lane| lane.caller.stand == Stand::Up)?;
            }
            _ => {
                self.ada.manner = Manner::Rings;
                self.caller.call(&number);
                self.wait("an answer", |lane| lane.caller.stand == Stand::Up)?;
                self.caller.press('2');
                self.wait_pressing("the agent to ring", '2', |lane| lane.ada.stand == Stand::Early)?;
            }
        }
        if self.caller.stand == Stand::Up {
            self.caller.hang_up();
        }
        Ok(())
    }

    fn vanished(&mut self) -> Step {
        self.meet('1')?;
        self.caller.alive = false;
        let gone = self.wait("the agent to be let go", |lane| lane.ada.stand == Stand::Idle);
        self.caller.alive = true;
        self.caller.vanish();
        gone
    }

    fn babble(&mut self) -> Step {
        self.stranger.babble(self.turns);
        let number = self.number.clone();
        self.stranger.call(&number);
        self.meet('2')?;
        self.caller.babble(self.turns);
        self.stranger.babble(self.turns.wrapping_add(7));
        self.stranger.vanish();
        self.talk()?;
        self.caller.hang_up();
        Ok(())
    }

    fn answered(&mut self, status: u16, whose: impl Fn(&Self) -> &Phone, what: &str) -> Step {
        let before = whose(self).answers.len();
        self.wait(what, |lane| whose(lane).answers.len() > before)?;
        match whose(self).answers.last() {
            Some((_, is)) if *is == status => Ok(()),
            other => Err(format!("{what}: {other:?}")),
        }
    }

    fn wait(&mut self, what: &str, there: impl Fn(&Self) -> bool) -> Step {
        let end = Instant::now() + PATIENCE;
        while !there(self) {
            if Instant::now() >= end {
                return Err(self.overdue(what));
            }
            self.turn();
        }
        Ok(())
    }

    /// What was waited for in vain, with what the caller's requests were answered meanwhile.
    fn overdue(&self, what: &str) -> String {
        let answers: Vec<String> =
            self.caller.answers.iter().map(|(method, status)| format!("{method} {status}")).collect();
        format!("waited {} s for {what}; the caller was answered: {}", PATIENCE.as_secs(), answers.join(", "))
    }

    fn wait_pressing(&mut self, what: &str, key: char, there: impl Fn(&Self) -> bool) -> Step {
        let end = Instant::now() + PATIENCE;
        let mut pressed = Instant::now();
        while !there(self) {
            if Instant::now() >= end {
                return Err(self.overdue(what));
            }
            if pressed.elapsed() > Duration::from_millis(700) {
                pressed = Instant::now();
                self.caller.press(key);
            }
            self.turn();
        }
        Ok(())
    }

    fn pass(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.turn();
        }
    }

    /// 20 ms of all phones.
    #[allow(clippy::disallowed_methods)] // the pace of audio
    fn turn(&mut self) {
        let now = Instant::now();
        for phone in [&mut self.caller, &mut self.ada, &mut self.bob, &mut self.stranger] {
            phone.turn(now);
        }
        std::thread::sleep(FRAME.saturating_sub(now.elapsed()));
    }
}

fn number(n: usize) -> String {
    format!("+4930200{n:03}")
}

/// Settings (`sayso apply`) for so many lanes.
pub(crate) fn settings(lanes: usize) -> String {
    let mut text = String::from("[trunk.soak]\nnetworks = [\"127.0.0.2/32\"]\n");
    for n in 0..lanes {
        text.push_str(&format!(
            "\n[number.\"{}\"]\nqueue = \"lane{n}\"\n\n[queue.lane{n}]\nrecording = \"consent\"\n\
             consent = {{ attempts = 9, timeout = \"10s\" }}\nwrap-up = \"0s\"\nring-timeout = \"30s\"\n\
             \n[queue.rest{n}]\nrecording = \"never\"\n\
             \n[agent.ada{n}]\npassword = \"secret-of-ada{n}\"\nqueues = [\"lane{n}\"]\n\
             \n[agent.bob{n}]\npassword = \"secret-of-bob{n}\"\nqueues = [\"rest{n}\"]\n",
            number(n)
        ));
    }
    text
}
