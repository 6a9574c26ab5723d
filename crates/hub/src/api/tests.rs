//! The router as its clients see it.

mod additions;
mod administration;
mod feed;
mod hub;
mod listing;
mod members;
mod neighbours;
mod pages;
mod refusals;
