//! Object stores to test against, each in a temporary folder and on a port of its own, ended when the test process
//! ends, however it ends. `s3s-fs` checks signatures and checksums but has no versions; `moto` has versions,
//! delete markers, Object Lock and KMS but believes any secret and any checksum: use each for what it can show.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use sayso::ids::Redacted;
use sayso::vault::AwsService;
use sayso::vault::objects::S3Settings;

/// Runs the server until its own input ends, which comes when the test process is gone; then removes its folder.
const KEEPER: &str = r#"exec 3<&0
"$@" </dev/null & server=$!
(cat <&3 >/dev/null; kill -9 $server) 2>/dev/null &
wait $server
rm -rf "$FOLDER""#;

/// The access key that the servers know.
pub(crate) const ACCESS_KEY: &str = "AKIDSAYSOTEST";
/// Its secret. `s3s-fs` refuses any other.
pub(crate) const SECRET_KEY: &str = "secret-of-the-tests";

/// A running object store. Dropping it stops it.
pub(crate) struct S3Server {
    keeper: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl S3Server {
    /// `s3s-fs`: signatures, checksums, multipart, conditional writes.
    pub(crate) fn s3s() -> Self {
        let program = tool("s3", "s3s-fs").unwrap_or_else(|| panic!("there is no s3s-fs: run `make tools`"));
        Self::start(|port, folder| {
            let mut command = Command::new(&program);
            command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]).arg(folder);
            command
        })
    }

    /// `moto`: versions, delete markers, unfinished uploads, Object Lock, KMS. It keeps all in its memory.
    pub(crate) fn moto() -> Self {
        let program = tool("moto", "moto_server").unwrap_or_else(|| PathBuf::from("moto_server"));
        Self::start(|port, _| {
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        })
    }

    /// A `moto` that the tests of this process share, each in a bucket of its own.
    pub(crate) fn shared_moto() -> &'static Self {
        static SHARED: OnceLock<S3Server> = OnceLock::new();
        SHARED.get_or_init(Self::moto)
    }

    /// An `s3s-fs` that the tests of this process share, each in a bucket of its own.
    pub(crate) fn shared_s3s() -> &'static Self {
        static SHARED: OnceLock<S3Server> = OnceLock::new();
        SHARED.get_or_init(Self::s3s)
    }

    fn start(command: impl Fn(u16, &Path) -> Command) -> Self {
        // Another process may take the port between our look and the server's: then it ends, and we try again.
        for _ in 0..5 {
            let folder = tempfile::Builder::new().prefix("sayso-s3-").tempdir().expect("a folder").keep();
            let port = free_port();
            let server = command(port, &folder);
            let mut keeper = Command::new("sh")
                .args(["-c", KEEPER, "keeper"])
                .arg(server.get_program())
                .args(server.get_args())
                .env("FOLDER", &folder)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .expect("sh starts");
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let up = super::until(Duration::from_secs(60), "the object store to come up", || {
                let ended = keeper.try_wait().expect("a child can be waited for").is_some();
                if ended { Some(false) } else { TcpStream::connect(address).ok().map(|_| true) }
            });
            if up {
                return Self { keeper, folder, address };
            }
        }
        panic!("the object store does not start: run `make tools`")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, for `endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where `s3s-fs` keeps its objects: `<folder>/<bucket>/<name>`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The SDK's own client, past everything of ours.
    pub(crate) fn client(&self) -> Client {
        client(&self.endpoint())
    }

    /// A new bucket: its name.
    pub(crate) async fn bucket(&self) -> String {
        let name = fresh_name();
        self.client().create_bucket().bucket(&name).send().await.expect("a bucket");
        name
    }

    /// A new bucket with Object Lock, and so with versions (`moto` only).
    pub(crate) async fn locking_bucket(&self) -> String {
        let name = fresh_name();
        let create = self.client().create_bucket().bucket(&name).object_lock_enabled_for_bucket(true);
        create.send().await.expect("a bucket");
        name
    }

    /// Settings that reach a bucket of it.
    pub(crate) fn settings(&self, bucket: &str) -> S3Settings {
        settings(&self.endpoint(), bucket)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // An error means that it is gone already, which is what is wanted.
        let _ = self.keeper.wait();
    }
}

/// Settings that reach a bucket behind `endpoint`, which may be a [`Faults`](super::faults::Faults).
pub(crate) fn settings(endpoint: &str, bucket: &str) -> S3Settings {
    S3Settings {
        bucket: bucket.to_owned(),
        prefix: "sayso/".to_owned(),
        service: AwsService {
            region: Some("us-east-1".to_owned()),
            endpoint: Some(endpoint.to_owned()),
            credentials: Some((ACCESS_KEY.to_owned(), Redacted(SECRET_KEY.to_owned()))),
        },
        path_style: Some(true),
        sse: None,
        storage_class: None,
        tags: std::collections::BTreeMap::default(),
        bandwidth: None,
        lock: None,
    }
}

/// The SDK's own client of the store behind `endpoint`.
pub(crate) fn client(endpoint: &str) -> Client {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(credentials);
    Client::from_conf(config.build())
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("it is bound").port()
}

/// A program that `make tools` put below `target/tools`.
fn tool(folder: &str, name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(folder).join("bin").join(name);
    path.exists().then_some(path)
}
