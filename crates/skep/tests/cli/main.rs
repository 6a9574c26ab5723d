//! Commands as a person runs them, against hubs that answer what the test says.

#![expect(clippy::unwrap_used, reason = "a test's panic is its report")]

mod add;
mod check;
mod config;
mod get;
mod help;
mod import_export;
mod list;
mod make;
mod serve;
mod share;
mod support;
mod tls;
mod up;
