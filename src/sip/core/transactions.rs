//! The tables of transactions. The machines come from `wire` (RFC 3261 §17 with RFC 6026); here is
//! what goes with each: its way on the network, and whom it belongs to.

use std::collections::HashMap;

use bytes::Bytes;

use super::challenge::Keyring;
use super::io::{DialogId, Flow};
use super::probe::ProbeId;
use super::registration::RegistrationId;
use super::respond;
use super::uac::Branch;
use super::wire::{ClientTransaction, Key, ServerTransaction};

/// A server transaction's number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ServerId(u64);

/// A client transaction's number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ClientId(u64);

/// A request of others.
pub(super) struct Server {
    /// RFC 3261 §17.2.
    pub(super) machine: ServerTransaction,
    /// The way its responses go.
    pub(super) reply: Flow,
    /// The dialog of an INVITE.
    pub(super) dialog: Option<DialogId>,
    key: Key,
    merge: Option<Key>,
}

/// A request of ours.
pub(super) struct Client {
    /// RFC 3261 §17.1.
    pub(super) machine: ClientTransaction,
    /// The way it went.
    pub(super) flow: Flow,
    /// The way its last response came.
    pub(super) heard: Flow,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// The ACKs we sent for 2xx responses, by To tag, for when the same comes again.
    pub(super) acks: Vec<(Bytes, Flow, Bytes)>,
    /// Of an INVITE whose call is over: the last sequence number used in each of its early dialogs, by
    /// their tag.
    pub(super) spent: Vec<(Bytes, u32)>,
    key: Key,
}

/// What a request of ours is for, and so who gets its answer.
pub(super) enum Purpose {
    /// A branch of an INVITE of ours.
    Invite(Box<Branch>),
    /// A re-INVITE.
    Reinvite(DialogId),
    /// A BYE that ends a dialog we know.
    Bye(DialogId),
    /// A digit.
    Info(DialogId),
    /// A PRACK.
    Prack(Fork),
    /// An UPDATE; whether it bears an offer.
    Update(Fork, bool),
    /// A REFER of ours.
    Refer(DialogId),
    /// News of a transfer they asked for, by the REFER with this sequence number.
    Notify(DialogId, u32),
    /// A log-on, with the password for its challenges.
    Register(DialogId, Box<Keyring>),
    /// A registration at a trunk's server.
    Trunk(RegistrationId),
    /// Whether a trunk's server is there.
    Probe(ProbeId),
    /// Nobody waits for the answer.
    Nobody,
}

impl Purpose {
    /// Of a request inside a dialog: the dialog, and the same purpose once more for when the request is
    /// sent again with a password.
    pub(super) fn in_dialog(&self) -> Option<(Fork, Self)> {
        let fork = |id: &DialogId| Fork { leg: *id, tag: None };
        match self {
            Self::Reinvite(id) => Some((fork(id), Self::Reinvite(*id))),
            Self::Bye(id) => Some((fork(id), Self::Bye(*id))),
            Self::Info(id) => Some((fork(id), Self::Info(*id))),
            Self::Prack(fork) => Some((fork.clone(), Self::Prack(fork.clone()))),
            Self::Update(fork, offers) => Some((fork.clone(), Self::Update(fork.clone(), *offers))),
            Self::Refer(id) => Some((fork(id), Self::Refer(*id))),
            Self::Notify(id, cseq) => Some((fork(id), Self::Notify(*id, *cseq))),
            Self::Invite(_) | Self::Register(..) | Self::Trunk(_) | Self::Probe(_) | Self::Nobody => None,
        }
    }
}

/// A dialog, or one of several early dialogs of one INVITE of ours.
#[derive(Clone, Debug)]
pub(super) struct Fork {
    pub(super) leg: DialogId,
    /// Their tag.
    pub(super) tag: Option<Bytes>,
}

/// All transactions.
#[derive(Default)]
pub(super) struct Transactions {
    servers: HashMap<ServerId, Server>,
    server_keys: HashMap<Key, ServerId>,
    /// Out-of-dialog requests by what makes them the same one (RFC 3261 §8.2.2.2).
    merges: HashMap<Key, ServerId>,
    clients: HashMap<ClientId, Client>,
    client_keys: HashMap<Key, ClientId>,
    drawn: u64,
}

impl Transactions {
    pub(super) fn add_server(
        &mut self,
        machine: ServerTransaction,
        key: Key,
        merge: Option<Key>,
        reply: Flow,
    ) -> ServerId {
        self.drawn += 1;
        let id = ServerId(self.drawn);
        self.server_keys.insert(key.clone(), id);
        if let Some(merge) = &merge {
            self.merges.insert(merge.clone(), id);
        }
        self.servers.insert(id, Server { machine, reply, dialog: None, key, merge });
        id
    }

    pub(super) fn add_client(
        &mut self,
        machine: ClientTransaction,
        key: Key,
        flow: Flow,
        purpose: Purpose,
    ) -> ClientId {
        self.drawn += 1;
        let id = ClientId(self.drawn);
        self.client_keys.insert(key.clone(), id);
        self.clients.insert(
            id,
            Client { machine, flow, heard: flow, purpose, acks: Vec::new(), spent: Vec::new(), key },
        );
        id
    }

    pub(super) fn server(&mut self, id: ServerId) -> Option<&mut Server> {
        self.servers.get_mut(&id)
    }

    pub(super) fn client(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.get_mut(&id)
    }

    pub(super) fn find_server(&self, key: &Key) -> Option<ServerId> {
        self.server_keys.get(key).copied()
    }

    pub(super) fn find_client(&self, key: &Key) -> Option<ClientId> {
        self.client_keys.get(key).copied()
    }

    /// Whether the same request came by another way and is still known.
    pub(super) fn is_merged(&self, merge: &Key) -> bool {
        self.merges.contains_key(merge)
    }

    pub(super) fn remove_server(&mut self, id: ServerId) -> Option<Server> {
        let server = self.servers.remove(&id)?;
        self.server_keys.remove(&server.key);
        if let Some(merge) = &server.merge {
            self.merges.remove(merge);
        }
        Some(server)
    }

    pub(super) fn remove_client(&mut self, id: ClientId) -> Option<Client> {
        let client = self.clients.remove(&id)?;
        self.client_keys.remove(&client.key);
        Some(client)
    }

    /// The requests of ours that went over `flow`, in the order they were sent.
    pub(super) fn clients_on(&self, flow: &Flow) -> Vec<ClientId> {
        let on_it = self.clients.iter().filter(|(_, client)| client.flow.is_same_way(flow));
        let mut ids: Vec<ClientId> = on_it.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Requests over `from` go over `to` from now on: the connection they waited for is there.
    pub(super) fn move_clients(&mut self, from: &Flow, to: Flow) {
        for client in self.clients.values_mut().filter(|client| client.flow.is_same_way(from)) {
            client.flow = to;
        }
    }

    /// Responses that would go over this connection go to where Via says from now on (RFC 3261
    /// §18.2.2).
    pub(super) fn lost_connection(&mut self, flow: &Flow) {
        for server in self.servers.values_mut().filter(|server| server.reply.is_same_way(flow)) {
            server.reply = respond::reopened(server.machine.request(), *flow);
        }
    }

    /// How many there are: (client, server).
    pub(super) fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }
}
