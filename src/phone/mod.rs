//! A scriptable SIP phone: `sayso call` and the demo's people.
