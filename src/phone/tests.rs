//! Two phones call each other over real sockets.

use std::f64::consts::TAU;
use std::net::Ipv4Addr;

use super::*;
use crate::ids::{AgentId, Redacted};
use crate::settings::Agent;
use crate::sip::core::{Loan, Media};

async fn phone() -> (Phone, SocketAddr) {
    let phone = Phone::open(Ipv4Addr::LOCALHOST.into(), Clock::start()).await.unwrap();
    let udp = phone.sip.local().iter().find(|(transport, _)| *transport == Transport::Udp);
    let at = udp.map(|(_, at)| *at).unwrap();
    (phone, at)
}

/// Says a tone of this pitch for as long as the call lasts.
fn script(pitch: f64, codecs: &[Codec], media: Media) -> Script {
    let say = (0..8_000).map(|n| (8_000.0 * (TAU * pitch * f64::from(n) / 8_000.0).sin()) as i16).collect();
    let (codecs, press) = (codecs.to_vec(), Vec::new());
    Script { say, codecs, press, media, hang_up_after: Duration::from_millis(1_500), ..Script::default() }
}

/// How often what was heard goes through zero upwards in its last second, in Hz.
fn pitch(report: &Report) -> f64 {
    let last = &report.heard[report.heard.len().saturating_sub(report.rate as usize / 2)..];
    let ups = last.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    ups as f64 * f64::from(report.rate) / last.len() as f64
}

async fn talk(media: Media, codecs: [&[Codec]; 2]) -> [Report; 2] {
    let (mut caller, _) = phone().await;
    let (mut callee, at) = phone().await;
    let to = Callee::Uri { uri: format!("sip:bob@{at}"), remote: at, transport: Transport::Udp, login: None };
    let answer = Script { hang_up_after: PATIENCE, ..script(800.0, codecs[1], Media::Rtp) };
    let (called, answered) = tokio::join!(
        caller.call(to, "alice".to_owned(), script(400.0, codecs[0], media)),
        callee.answer(Duration::from_millis(20), answer)
    );
    [called.unwrap(), answered.unwrap()]
}

fn hear_each_other(reports: &[Report; 2]) {
    for (report, wanted) in reports.iter().zip([800.0, 400.0]) {
        let heard = pitch(report);
        assert!((heard - wanted).abs() < 30.0, "{heard} Hz were heard, {wanted} were said");
    }
    assert_eq!(reports[0].ending, Ending::Us);
    assert_eq!(reports[1].ending, Ending::Them(Cause::HungUp));
}

#[tokio::test]
async fn by_webrtc() {
    let reports = talk(Media::Webrtc, [&[Codec::Opus, Codec::Pcma], &[Codec::Pcma]]).await;
    hear_each_other(&reports);
    for report in &reports {
        let packets = report.webrtc.unwrap();
        assert!(packets.sent > 40 && packets.received > 40, "{packets:?}");
        assert_eq!((report.codec, report.srtp.is_some()), (Codec::Pcma, true));
    }
}

#[tokio::test]
async fn by_webrtc_in_opus() {
    let reports = talk(Media::Webrtc, [&[Codec::Opus], &[Codec::Opus, Codec::Pcma]]).await;
    hear_each_other(&reports);
    assert_eq!(reports[1].codec, Codec::Opus);
}

/// A registrar over WebSocket, with one agent who has no password.
async fn registrar() -> (SipHandle, SocketAddr, mpsc::Receiver<Event>) {
    let mut settings = Settings::default();
    let display_name = Redacted("Ada".to_owned());
    let agent = Agent {
        display_name,
        credentials: None,
        queues: Vec::new(),
        skills: Vec::new(),
        phone: Default::default(),
    };
    settings.agents.insert(AgentId::from("ada"), Arc::new(agent));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = StackConfig { udp: Vec::new(), tcp: Vec::new(), ws: vec![any], ..StackConfig::default() };
    let (sender, events) = mpsc::channel(64);
    let sip = io::start(config, Arc::new(settings), Clock::start(), sender).await.unwrap();
    let at = sip.local()[0].1;
    (sip, at, events)
}

#[tokio::test]
async fn a_lent_log_in_reaches_the_running_stack_and_is_taken_back() {
    let (sip, at, mut events) = registrar().await;
    let (mut phone, _) = phone().await;
    let clock = Clock::start();
    let lend = |password: &str| Loan {
        agent: AgentId::from("ada"),
        user: "ada~1".to_owned(),
        password: Redacted(password.to_owned()),
        until: clock.now() + Duration::from_secs(60),
    };
    let login = |password: &str| Login { user: "ada~1".to_owned(), password: password.to_owned() };
    sip.lend(lend("right")).unwrap();
    // The phone registers for the name it logs on with: known, and not the agent's own, so 403.
    let status = |result: Result<(), PhoneError>| match result {
        Err(PhoneError::Register { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(phone.register(at, Transport::Ws, login("right"), 60).await), "403");
    sip.take_back("ada~1").unwrap();
    assert_eq!(status(phone.register(at, Transport::Ws, login("right"), 60).await), "401");
    let failed = timeout(PATIENCE, async {
        loop {
            if let Some(Event::LoginFailed { .. }) = events.recv().await {
                return;
            }
        }
    });
    failed.await.expect("a failed log-in is told");
}

#[tokio::test]
async fn by_rtp() {
    let reports = talk(Media::Rtp, [&[Codec::Pcma], &[Codec::Pcma]]).await;
    hear_each_other(&reports);
    assert_eq!(reports[0].webrtc, None);
}
