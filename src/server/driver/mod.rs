//! Drives one call: feeds its state machine and does what it says. One task per call, no lock.

mod asked;
mod calling;
mod dialogs;
mod gauge;
mod joining;
mod log;
mod lost;
mod storing;
mod supervise;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tracing::Instrument;

use crate::audit::{Actor, channel_word};
use crate::call::{Arrival, Call, Cause, CommitId, Fact, Input, Output, View};
use crate::engine::{CallMedia, MediaEvent};
use crate::ids::{AgentId, CallId, LegId};
use crate::media::DigitChannel;
use crate::prompts::Loaded;
use crate::queue;
use crate::sip::core::{Command, Incoming, Particulars, Source};
use crate::store::{Change, StoreError};

use asked::Pending;
use gauge::PhaseGauge;
use supervise::Supervisor;
use transfers::Moves;

use super::ladder::line_of;
use super::leg::{Leg, Opened, Party};
use super::notice::What;
use super::policy::Policy;
use super::recorder::{Recorder, Recording};
use super::switchboard::Mail;
use super::{Shared, convert, views};

/// How long a finished call waits for its legs' last statistics.
const CLOSING: Duration = Duration::from_secs(2);
/// Media events that may wait for a call's driver.
const MEDIA_EVENTS: usize = 64;

/// What a task of this call has brought to an end.
pub(super) enum Done {
    /// A unit of work, and the facts it stored.
    Committed(CommitId, Vec<Fact>, Result<(), StoreError>),
    /// Something about the recording.
    Recording(Recording),
}

/// A call that was let in, on its way to its driver.
pub(super) struct Admitted {
    pub(super) arrival: Arrival,
    /// The question whose version the arrival names: whatever is put in force meanwhile, it is the one that is asked, so
    /// that an answer is never stored with another one's version.
    pub(super) question: Arc<Loaded>,
    pub(super) incoming: Incoming,
    pub(super) mailbox: mpsc::Receiver<Mail>,
}

/// Runs a call to its end.
pub(super) async fn run(shared: Arc<Shared>, admitted: Admitted) {
    let call = admitted.arrival.call;
    let span = tracing::info_span!("call", %call);
    async {
        if let Some(driver) = Driver::begin(Arc::clone(&shared), admitted).await {
            driver.run().await;
            shared.ladders.over(call);
        }
        shared.switchboard.remove_call(call);
        shared.live.gone(call);
    }
    .instrument(span)
    .await;
}

struct Driver {
    shared: Arc<Shared>,
    id: CallId,
    call: Call,
    arrival: Arrival,
    question: Arc<Loaded>,
    /// What the caller's INVITE told, to be handed on.
    particulars: Particulars,
    legs: BTreeMap<u16, Leg>,
    media: CallMedia,
    media_events: mpsc::Receiver<MediaEvent>,
    mailbox: mpsc::Receiver<Mail>,
    recorder: Recorder,
    work: JoinSet<Done>,
    /// Units of work that are with the store. Each is polled here: a task for it would be woken only to wake this one.
    storing: FuturesUnordered<BoxFuture<'static, Done>>,
    phase: PhaseGauge,
    /// Facts on their way to the store.
    to_store: Vec<(CommitId, Vec<Fact>)>,
    /// A withdrawal is on its way to the store, and nothing goes before it is there.
    withdrawing: Option<CommitId>,
    /// The closed legs' statistics, stored at the end.
    quality: Vec<Change>,
    /// Legs whose media is not closed yet.
    open: BTreeSet<u16>,
    moves: Moves,
    /// What was asked and waits for the end of this turn.
    asks: Vec<Pending>,
    /// Supervisors by their legs.
    supervisors: BTreeMap<u16, Supervisor>,
    /// The call as it was shown last.
    shown: Option<View>,
    /// The agent who asked to withdraw the consent.
    withdrawn_by: Option<AgentId>,
    /// The call has ended; only its last work is waited for.
    over: bool,
}

impl Driver {
    /// Opens the media and answers the offer; `None` when the call had to be refused.
    async fn begin(shared: Arc<Shared>, admitted: Admitted) -> Option<Self> {
        let Admitted { mut arrival, question, incoming, mailbox } = admitted;
        let id = arrival.call;
        shared.notices.tell(id, || What::Invited);
        arrival.known = shared.known_consent(&arrival).await;
        let (events, media_events) = mpsc::channel(MEDIA_EVENTS);
        let mut media = shared.engine.open(id, events);
        let refuse = |status: u16, why: &str| {
            tracing::warn!(status, why, "call refused");
            metrics::counter!("sayso_calls_refused_total", "status" => status.to_string()).increment(1);
            shared.send(Command::Reject { dialog: incoming.dialog, status });
            shared.switchboard.remove_dialog(incoming.dialog);
        };
        let settings = shared.settings();
        let opened = match Opened::of_caller(&mut media, 0, &incoming, &settings) {
            Ok(opened) => opened,
            Err(error) => {
                refuse(503, &error.to_string());
                return None;
            }
        };
        let trunk = match &incoming.source {
            Source::Trunk(trunk) => Some(trunk.clone()),
            Source::Agent(_) => None,
        };
        let policy = Policy::of_source(&settings, &incoming.source);
        let (leg, agreed) = match Leg::called(&incoming, Party::Caller(trunk), policy, opened, None) {
            Ok(called) => called,
            Err(error) => {
                refuse(error.status(), &error.to_string());
                return None;
            }
        };
        if let Some(agreed) = agreed {
            media.configure(0, agreed);
        }
        shared.ladders.leg(id, incoming.dialog, 0, line_of(&leg.party, Some(&incoming.source)));
        let now = shared.clock.now();
        let mut driver = Self {
            call: Call::new(arrival.clone(), now),
            id,
            arrival,
            question,
            particulars: incoming.particulars,
            legs: BTreeMap::from([(0, leg)]),
            media,
            media_events,
            mailbox,
            recorder: Recorder::new(id),
            work: JoinSet::new(),
            storing: FuturesUnordered::new(),
            phase: PhaseGauge::default(),
            to_store: Vec::new(),
            withdrawing: None,
            quality: Vec::new(),
            open: BTreeSet::from([0]),
            moves: Moves::default(),
            asks: Vec::new(),
            supervisors: BTreeMap::new(),
            shown: None,
            withdrawn_by: None,
            over: false,
            shared,
        };
        driver.account_for(0);
        Some(driver)
    }

    async fn run(mut self) {
        loop {
            while let Some(output) = self.call.poll_output() {
                self.carry_out(output).await;
            }
            self.answer_asks();
            self.tell_recording();
            if self.over {
                self.close_media().await;
            }
            self.submit().await;
            self.phase.set(self.call.phase());
            self.show();
            if self.over && self.work.is_empty() && self.storing.is_empty() {
                break;
            }
            self.wait().await;
        }
        self.shared.notices.tell(self.id, || What::Over);
    }

    /// Shows the call to whoever watches, if it looks another way than before.
    fn show(&mut self) {
        if self.over {
            return self.shared.live.gone(self.id);
        }
        let view = self.call.view();
        if self.shown.as_ref() != Some(&view) {
            self.shared.live.call(views::call(self.id, &view, &self.shared.settings()));
            self.shown = Some(view);
        }
    }

    /// Waits for the next thing to happen and feeds it to the call.
    async fn wait(&mut self) {
        let clock = self.shared.clock;
        let calls = self.call.poll_timeout().map(|(at, _)| at);
        let own = self.lost_deadline().into_iter().chain(self.supervisors_deadline());
        let due = own.chain(calls).min().map(|at| clock.instant(at).into());
        let deadline = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(mail) = self.mailbox.recv() => self.on_mail(mail),
            Some(event) = self.media_events.recv() => self.on_media(event),
            Some(done) = self.storing.next() => self.on_done(done).await,
            Some(done) = self.work.join_next() => match done {
                Ok(done) => self.on_done(done).await,
                Err(error) => tracing::error!(%error, "a task of the call failed"),
            },
            () = deadline => {
                let now = clock.now();
                self.call.handle_timeout(now);
                self.look_for_the_lost(now);
                self.end_unanswered(now);
            }
        }
    }

    fn on_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Sip(event) => self.on_sip(event),
            Mail::Joining(joining) => self.on_joining(*joining),
            Mail::Desk(queue::Output::Ring { agents, since, .. }) => self.tell(Input::Ring { agents, since }),
            Mail::Desk(queue::Output::Position { position, .. }) => self.tell(Input::Position(position)),
            Mail::Desk(queue::Output::Overflow { to, since, .. }) => {
                self.tell(Input::Overflow { to, since });
            }
            Mail::Desk(queue::Output::Claimed { agent, free, .. }) => {
                self.tell(Input::Claimed { agent, free });
            }
            // Not of a call; the desk posts only those above.
            Mail::Desk(queue::Output::AgentChanged { .. }) => {}
            Mail::Asked(asked) => self.on_asked(*asked),
            Mail::PhoneIsBack(agent) => self.on_phone_is_back(&agent),
            Mail::Shutdown => self.tell(Input::Shutdown),
        }
    }

    fn on_media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Digit { leg, digit, channel } => self.on_digit(leg, digit, channel),
            MediaEvent::PlayDone { play } => self.tell(Input::PromptDone { play }),
            MediaEvent::MediaTimeout { leg: n } => {
                if let Some(leg) = self.legs.get(&n) {
                    self.shared.send(Command::Hangup { dialog: leg.dialog, cause: Cause::MediaTimeout });
                    self.drop_leg(n);
                    let leg = LegId { call: self.id, n };
                    self.tell(Input::LegGone { leg, cause: Cause::MediaTimeout });
                }
            }
            MediaEvent::Silent { leg } => self.on_silent(leg),
            MediaEvent::Heard { leg } => self.on_heard(leg),
            MediaEvent::Closed { leg: n, stats } => {
                self.open.remove(&n);
                metrics::histogram!("sayso_leg_jitter_seconds").record(f64::from(stats.jitter_ms) / 1_000.0);
                if let Some(mos) = stats.mos {
                    metrics::histogram!("sayso_leg_mos").record(f64::from(mos));
                }
                self.quality.push(Change::LegStats {
                    leg: LegId { call: self.id, n },
                    quality: convert::quality(&stats),
                });
            }
        }
    }

    fn on_digit(&mut self, n: u16, digit: crate::media::Digit, channel: DigitChannel) {
        metrics::counter!("sayso_digits_total", "channel" => channel_word(channel)).increment(1);
        self.shared.notices.tell(self.id, || What::Key { leg: n, digit, channel });
        let leg = LegId { call: self.id, n };
        for digit in self.unless_a_code(n, digit) {
            self.tell(Input::Digit { leg, digit, channel });
        }
    }

    async fn on_done(&mut self, done: Done) {
        match done {
            Done::Committed(commit, facts, Ok(())) => self.on_committed(commit, facts),
            Done::Committed(commit, facts, Err(error)) => self.on_commit_failed(commit, facts, &error),
            Done::Recording(event) => {
                if let Some(input) =
                    self.recorder.on_event(event, &self.shared, &self.media, &mut self.work).await
                {
                    self.tell(input);
                }
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.call.handle(input, self.shared.clock.now());
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::Answer => {
                self.answer(0);
            }
            Output::Play { leg, play, prompt } => {
                let arrival = &self.arrival;
                let loaded = if prompt == crate::call::Prompt::ConsentQuestion {
                    Arc::clone(&self.question)
                } else {
                    self.shared.prompts().get(&arrival.queue_id, &arrival.language, prompt)
                };
                let repeat = prompt == crate::call::Prompt::Music;
                self.media.play(leg.n, play, Arc::clone(&loaded.sound), repeat);
                self.shared.notices.tell(self.id, || What::Playing { leg: leg.n, prompt });
            }
            Output::StopPlay { leg } => self.media.stop_play(leg.n),
            Output::Commit(commit, facts) => self.to_store.push((commit, facts)),
            Output::Enqueue { queue, priority, only, since } => {
                let wait = queue::Input::Wait { call: self.id, queue, priority, only, since };
                self.shared.desk.tell(wait).await;
            }
            Output::Dequeue => self.shared.desk.tell(queue::Input::Leave { call: self.id }).await,
            Output::Dial { leg, to } => self.dial(leg, to),
            Output::AnswerLeg { leg } => self.answer(leg.n),
            Output::Claim { agent } => {
                self.shared.desk.tell(queue::Input::Claim { call: self.id, agent }).await;
            }
            Output::TransferProgress { leg, progress } => self.tell_progress(leg.n, progress),
            Output::Refer { leg, to } => self.refer(leg, &to),
            Output::Join { seats } => self.confer(&seats),
            Output::Reattach { agent, lost } => self.reattach(agent, lost),
            Output::AgentReport { agent, report } => {
                self.shared.switchboard.agent_fares(&agent, self.id, report);
                self.shared.desk.tell(queue::Input::Report { call: self.id, agent, report }).await;
            }
            Output::Bridge { caller, agent } => self.join(caller.n, agent.n),
            Output::Unbridge => {
                self.media.unbridge();
                self.moves.together.clear();
            }
            Output::ArmRecording { take, grant } => {
                self.recorder.arm(take, grant, &self.shared, &mut self.work);
            }
            Output::StartRecording { caller, agent, quiet } => {
                let what = ((caller.n, agent.n), quiet);
                if let Some(failed) =
                    self.recorder.start(&self.shared, &self.media, what, &mut self.work).await
                {
                    self.tell(failed);
                }
            }
            Output::PauseRecording => self.media.pause_recording(true),
            Output::ResumeRecording => self.media.pause_recording(false),
            Output::StopRecording { destroy } => {
                // Only a withdrawal destroys: by an agent who said so, or by the caller's own key.
                let who = self.withdrawn_by.clone().map_or(Actor::Caller, Actor::Agent);
                self.recorder.stop(destroy.then_some(who), &self.shared, &self.media, &mut self.work).await;
            }
            Output::Hangup { leg, cause } => {
                if let Some(gone) = self.legs.get(&leg.n) {
                    self.shared.send(Command::Hangup { dialog: gone.dialog, cause });
                    self.drop_leg(leg.n);
                }
            }
            Output::Ended => self.over = true,
        }
    }

    /// The call is over: drops the legs that are left and takes their last statistics.
    async fn close_media(&mut self) {
        let legs: Vec<u16> = self.legs.keys().copied().collect();
        for n in legs {
            if let Some(leg) = self.legs.get(&n) {
                // A leg the call never knew, or knows no more.
                let (dialog, cause) = (leg.dialog, Cause::OtherSideGone);
                self.shared.send(Command::Hangup { dialog, cause });
            }
            self.drop_leg(n);
        }
        while !self.open.is_empty() {
            match timeout(CLOSING, self.media_events.recv()).await {
                Ok(Some(event)) => self.on_media(event),
                Ok(None) => return,
                Err(_) => {
                    tracing::warn!("the media worker did not close the call's legs in time");
                    return self.open.clear();
                }
            }
        }
    }
}
