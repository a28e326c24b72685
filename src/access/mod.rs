//! Who may do what (domain rules 22, 23): roles hold rights; how long a session lives; when a log-in is
//! locked; what a password must be; second factors; what a provider's word and a machine's token are worth.

mod held;
mod lockout;
mod mapping;
mod passwords;
mod rights;
mod scopes;
mod second_factor;
mod session;
mod standing;
mod superuser;

pub use held::Held;
pub use lockout::{Attempts, FORGOTTEN, Source, Sources, Strangers};
pub use mapping::{Claims, Mapped, could_be_name, mapped};
pub use passwords::{BadPassword, LONGEST_PASSWORD, PASSWORD_OVER, expires, fits};
pub use rights::{Right, rights};
pub use scopes::{BadScopes, LONGEST_DAYS, carried, scopes};
pub use second_factor::{
    RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, base32, recovery_code, recovery_hash, totp_step, totp_uri,
};
pub use session::{SESSIONS, Session, TOUCH};
pub use standing::{Owes, Standing};
pub use superuser::{leaves_no_superuser, may_manage, superusers};
