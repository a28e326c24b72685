//! The routes over a real socket, the server behind them a fake one, the time a number.

mod access;
mod audit;
mod calls;
mod document;
mod events;
mod history;
pub(super) mod house;
mod phone;
mod plain;
mod privacy;
mod prompts;
mod recordings;
mod retention;
mod routes;
mod session;
mod settings;
mod sign_on;
mod trunks;
mod vault;

use std::time::Duration;

use serde_json::{Value, json};

use super::control::{Ask, Live, Mode, Refusal, Where};
use super::view::*;
use crate::audit::{Class, Sealed};
use crate::ids::{CallId, Redacted};
use crate::store::{AuditFilter, Change};
use crate::time::Timestamp;

use house::{Answer, Client, House, PASSWORD, START, call_view, id};
