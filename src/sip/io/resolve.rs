//! Name lookups for [`Output::Resolve`](crate::sip::core::Output::Resolve): beside the task, bounded in
//! number and in time. The order of things is in `sip/core/naming.rs`; here they are asked.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use metrics::counter;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::sip::core::naming::{Means, Naptr, Question, Records, Search, Srv};
use crate::sip::core::{Query, Transport, Whereabouts};

/// A caller waits; what was found until then has to do.
const PATIENCE: Duration = Duration::from_secs(5);
/// One server's time for one question, so that another gets its chance within [`PATIENCE`].
const ONE_SERVER: Duration = Duration::from_millis(1_500);
/// Searches under way at once; more find nothing.
const MAX_SEARCHES: usize = 256;
/// Names kept as long as their records say.
const CACHE: u64 = 4_096;

/// A search that has ended.
pub(super) struct Found {
    pub(super) query: Query,
    pub(super) wanted: Whereabouts,
    pub(super) ways: Vec<(Transport, SocketAddr)>,
}

/// The searches under way.
pub(super) struct Lookups {
    /// `None`: there are no name servers; only written-out addresses are found.
    resolver: Option<TokioResolver>,
    means: Means,
    running: JoinSet<Found>,
}

impl Lookups {
    /// Asks `servers`, or those of the system.
    pub(super) fn new(servers: &[SocketAddr], means: Means) -> Self {
        Self { resolver: resolver(servers), means, running: JoinSet::new() }
    }

    /// Begins a search; `Some`: it has ended at once.
    pub(super) fn begin(&mut self, query: Query, wanted: Whereabouts, random: u64) -> Option<Found> {
        let search = Search::new(&wanted, &self.means, random);
        if search.question().is_none() {
            return Some(Found { query, wanted, ways: search.found() });
        }
        let Some(resolver) = self.resolver.clone().filter(|_| self.running.len() < MAX_SEARCHES) else {
            counter!("sayso_sip_lookups_refused_total").increment(1);
            return Some(Found { query, wanted, ways: Vec::new() });
        };
        self.running.spawn(async move {
            let mut search = search;
            let in_time = timeout(PATIENCE, run(&mut search, &resolver)).await.is_ok();
            let ways = search.found();
            let result = match (ways.is_empty(), in_time) {
                (false, _) => "found",
                (true, true) => "nothing",
                (true, false) => "late",
            };
            counter!("sayso_sip_lookups_total", "result" => result).increment(1);
            Found { query, wanted, ways }
        });
        None
    }

    /// The next search that ends; for ever if none runs.
    pub(super) async fn next(&mut self) -> Found {
        loop {
            match self.running.join_next().await {
                Some(Ok(found)) => return found,
                Some(Err(error)) => tracing::error!(%error, "a name lookup failed"),
                None => std::future::pending().await,
            }
        }
    }
}

fn resolver(servers: &[SocketAddr]) -> Option<TokioResolver> {
    let builder = if servers.is_empty() {
        TokioResolver::builder_tokio().inspect_err(|error| {
            tracing::warn!(%error, "no name servers: only trunks with numeric addresses can be called");
        })
    } else {
        let server = |at: &SocketAddr| {
            let with_port = |mut connection: ConnectionConfig| {
                connection.port = at.port();
                connection
            };
            let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
            NameServerConfig::new(at.ip(), true, connections)
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
        Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    };
    let mut builder = builder.ok()?;
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = ONE_SERVER;
    options.attempts = 2;
    options.cache_size = CACHE;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build().inspect_err(|error| tracing::warn!(%error, "name lookups do not work")).ok()
}

async fn run(search: &mut Search, resolver: &TokioResolver) {
    while let Some(question) = search.question() {
        let records = ask(resolver, question).await;
        search.answer(records);
    }
}

/// Asks one question. Whatever goes wrong, nothing was found.
async fn ask(resolver: &TokioResolver, question: Question) -> Records {
    match question {
        Question::Naptr(name) => {
            let mut records = Vec::new();
            for data in lookup(resolver, &name, RecordType::NAPTR).await {
                if let RData::NAPTR(record) = data {
                    records.push(Naptr {
                        order: record.order,
                        preference: record.preference,
                        flags: String::from_utf8_lossy(&record.flags).into_owned(),
                        service: String::from_utf8_lossy(&record.services).into_owned(),
                        replacement: record.replacement.to_ascii(),
                    });
                }
            }
            Records::Naptr(records)
        }
        Question::Srv(name) => {
            let mut records = Vec::new();
            for data in lookup(resolver, &name, RecordType::SRV).await {
                if let RData::SRV(record) = data {
                    let (priority, weight, port) = (record.priority, record.weight, record.port);
                    records.push(Srv { priority, weight, port, target: record.target.to_ascii() });
                }
            }
            Records::Srv(records)
        }
        Question::Addresses(name) => {
            let Some(name) = full(&name) else { return Records::Addresses(Vec::new()) };
            let found = resolver.lookup_ip(name).await;
            Records::Addresses(found.map(|found| found.iter().collect()).unwrap_or_default())
        }
    }
}

async fn lookup(resolver: &TokioResolver, name: &str, kind: RecordType) -> Vec<RData> {
    let Some(name) = full(name) else { return Vec::new() };
    let found = resolver.lookup(name, kind).await;
    found.map(|found| found.answers().iter().map(|record| record.data.clone()).collect()).unwrap_or_default()
}

/// A name with a dot in it is whole: no search domain is put after it.
fn full(name: &str) -> Option<Name> {
    let mut name = Name::from_utf8(name).ok()?;
    if name.num_labels() > 1 {
        name.set_fqdn(true);
    }
    Some(name)
}
