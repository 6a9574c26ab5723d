//! The hub: sockets, policy, storage, HTTP API and web page around the swarm registry.

pub mod access;
pub mod accounting;
pub mod acts;
pub mod api;
mod background;
pub mod catalogue;
pub mod classic;
pub mod config;
pub mod durable;
mod hub;
pub mod legacy;
pub mod listener;
pub mod members;
mod memory;
pub mod policy;
pub mod rules;
pub mod secret_file;
pub mod similar;
pub mod store;
mod throttle;
pub mod tracker;
mod watched;
mod web;
pub mod webhooks;

pub use config::{Config, ConfigError, Publish};
pub use hub::{Bound, Hub, StartError, StopError};
