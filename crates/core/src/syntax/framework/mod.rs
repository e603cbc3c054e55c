//! What frameworks and OTP tie together by convention: routes and what answers them, plugs, schemas and queries over them,
//! children and their supervisors, messages and what handles them, configuration, doctests, and types in specs. The pass
//! asks here at each call, function and attribute; nothing is said of quoted code.

mod call;
mod context;
mod directive;
mod tie;

mod plug;
mod plug_router;
mod request;
mod router;

mod query;
mod schema;

mod message;
mod named;
mod shape;
mod supervise;

mod config;
mod doctest;
mod project;

mod types;

pub(super) use call::CallSite;
pub(super) use context::{FrameworkContext, RouteScope};
pub(super) use named::put_before;

#[cfg(test)]
mod tests;
