//! UDP and TCP sockets and the timers of the SIP endpoint.
