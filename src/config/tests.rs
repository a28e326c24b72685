//! What is taken, what is refused, and what the refusal says.

use super::*;

mod vault;

fn fault(text: &str) -> String {
    Config::parse(text, "sayso.toml").expect_err("must be refused").to_string()
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = Config::parse("", "sayso.toml").expect("defaults");
    assert_eq!(config.database_url(), "sqlite:var/sayso.db");
    assert_eq!(config.media.timeout, Duration::from_secs(60));
    assert_eq!(config.media.webrtc_port, None);
}

#[test]
fn the_port_of_webrtc_is_one() {
    let config = Config::parse("[media]\nwebrtc-port = 40000\n", "sayso.toml").expect("a port");
    assert_eq!(config.media.webrtc_port, Some(40_000));
    assert!(fault("[media]\nwebrtc-port = 70000\n").starts_with("sayso.toml:2: "));
    assert!(fault("[media]\nwebrtc-port = 0\n").contains("from 1024 on"));
}

#[test]
fn faults_name_file_line_key_and_what_is_allowed() {
    let unknown = fault("data = \"x\"\n[media]\nportz = [1, 2]\n");
    assert!(unknown.starts_with("sayso.toml:3: `portz = …`"), "{unknown}");
    assert!(unknown.contains("`ports`"), "{unknown}");
    let typed = fault("[sip]\nudp = [\"nowhere\"]\n");
    assert!(typed.starts_with("sayso.toml:2: "), "{typed}");
    let range = fault("[media]\nports = [20000, 20001]\n");
    assert!(range.starts_with("sayso.toml:2: ") && range.contains("from 1024 on"), "{range}");
    let silent = fault("[sip]\nudp = []\ntcp = []\n");
    assert!(silent.contains("[sip]") && silent.contains("udp, tcp, tls"), "{silent}");
    assert!(fault("[media]\nworkers = 0\n").starts_with("sayso.toml:2: "));
    assert!(fault("[sip]\nrealm = \"\"\n").starts_with("sayso.toml:2: "));
    assert!(fault("[sip]\ndigest = [\"sha-1\"]\n").contains("md5"));
    let secret = fault("[database]\nurl = \"postgres://me:hidden@host/db\n");
    assert!(secret.starts_with("sayso.toml:2: `url = …`") && !secret.contains("hidden"), "{secret}");
    let misspelt = fault("[turn]\nsercet = \"hidden\"\n");
    assert!(misspelt.starts_with("sayso.toml:2: `sercet = …`") && !misspelt.contains("hidden"), "{misspelt}");
    let secret = fault("turn = { ttl = 1, secret = \"hidden\" }\n");
    assert!(secret.starts_with("sayso.toml:1: `turn = …`") && !secret.contains("hidden"), "{secret}");
    let config = Config::parse("database.url = \"postgres://me:hidden@host/db\"", "x").expect("a URL");
    assert!(!format!("{config:?}").contains("hidden") && config.database_url().contains("hidden"));
    let config = Config::parse("[http]\nproxies = [\"127.0.0.1/32\"]\n", "x").expect("a network");
    assert_eq!(config.http.proxies.len(), 1);
    let span = fault("drain = \"soon\"\n");
    assert!(span.starts_with("sayso.toml:1: `drain = …`") && span.contains("1h30m"), "{span}");
}

#[test]
fn the_environment_wins() {
    let mut config = Config::parse("data = \"a\"", "sayso.toml").expect("a configuration");
    config.environment(|name| (name == "SAYSO_DATA").then(|| "b".to_owned())).expect("fine");
    assert_eq!(config.data, PathBuf::from("b"));
    let wrong = config.environment(|name| (name == "SAYSO_HTTP_LISTEN").then(|| "x".to_owned()));
    assert!(wrong.expect_err("no address").to_string().contains("SAYSO_HTTP_LISTEN"));
}

#[test]
fn what_belongs_together_is_asked_for() {
    let lonely = fault("[tls]\ncertificate = \"a.pem\"\n");
    assert!(lonely.contains("[tls]") && lonely.contains("both files"), "{lonely}");
    assert!(fault("[tls]\nclient-key = \"a.pem\"\n").contains("client-certificate"));
    assert!(fault("[sip]\ntls = [\"0.0.0.0:5061\"]\n").contains("need certificate"));
    assert!(fault("[sip]\nwss = [\"0.0.0.0:8443\"]\n").contains("need certificate"));
    assert!(fault("[http]\ntls = true\n").contains("[http]"));
    let own = "certificate = \"a\"\nkey = \"b\"\n";
    assert!(fault(&format!("[tls]\nrequire-client-certificate = true\n{own}")).contains("client-ca"));
    let whole = format!("[sip]\ntls = [\"0.0.0.0:5061\"]\n[http]\ntls = true\n[tls]\n{own}");
    assert_eq!(Config::parse(&whole, "sayso.toml").expect("whole").facts(), []);
}

#[test]
fn origins_and_public_addresses() {
    for wrong in ["desk.example", "https://", "https://desk.example/", "ftp://desk.example"] {
        let fault = fault(&format!("[sip]\nws-origins = [\"{wrong}\"]\n"));
        assert!(fault.contains("ws-origins") && fault.contains(wrong), "{fault}");
    }
    let wide = Config::parse("[sip]\nws-origins = [\"*\"]\n", "sayso.toml").expect("allowed");
    assert_eq!(wide.facts(), [Fact::AnyOrigin, Fact::NothingSecure]);
    assert!(fault("[sip]\nadvertise = \"here\"\n").starts_with("sayso.toml:2: "));
    assert!(fault("[sip]\nadvertise = { \"10.0.0.1\" = \"2001:db8::1\" }\n").contains("families"));
    let far = "198.51.100.9".parse().unwrap();
    let one = Config::parse("[sip]\nadvertise = \"203.0.113.7\"\n", "sayso.toml").expect("one");
    let ours: IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(one.media_nat().outward(ours, far).to_string(), "203.0.113.7", "audio follows [sip]");
    let each =
        "[sip]\nadvertise = { \"10.0.0.1\" = \"203.0.113.7\" }\n[media]\nadvertise = \"203.0.113.8\"\n";
    let each = Config::parse(each, "sayso.toml").expect("a table");
    assert_eq!(each.sip_nat().outward(ours, far).to_string(), "203.0.113.7");
    assert_eq!(each.media_nat().outward(ours, far).to_string(), "203.0.113.8");
    assert_eq!(each.sip_nat().outward("10.0.0.2".parse().unwrap(), far).to_string(), "10.0.0.2");
}

#[test]
fn desktop_and_turn() {
    let config = Config::parse("", "sayso.toml").expect("defaults");
    assert!(config.desktop.not_ready_reasons.contains(&"Lunch".to_owned()));
    assert_eq!(config.turn.ttl, Duration::from_secs(43_200));
    let whole = "[desktop]\nnot-ready-reasons = [\"Tea\"]\nurl = \"https://desk.example\"\n\
                 [turn]\nurls = [\"turn:t.example:3478\", \"stun:t.example\"]\nsecret = \"hunter2\"\nttl = \"1h\"\n";
    let config = Config::parse(whole, "sayso.toml").expect("whole");
    assert_eq!(config.desktop.not_ready_reasons, ["Tea"]);
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(fault("[desktop]\nnot-ready-reasons = [\"Tea\", \"Tea\"]\n").starts_with("sayso.toml:2: "));
    assert!(fault("[desktop]\nurl = \"https://desk.example/x\"\n").contains("without a path"));
    assert!(fault("[turn]\nurls = [\"turn:t.example\"]\n").contains("secret"));
    assert!(fault("[turn]\nsecret = \"x\"\n").contains("go together"));
    assert!(fault("[turn]\nurls = [\"turn://t.example\"]\nsecret = \"x\"\n").contains("no URI"));
}
