//! `/api/v1/reload`, `/api/v1/save`, `/api/v1/shutdown`: what the process is asked to do.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::{mpsc, oneshot};

use super::standing::Acting;
use super::{ApiState, Problem, audit, fields};
use crate::acts::Actor;
use crate::store::roll::Scope;

/// Seconds after which a hub that could not do something may be able to.
const RETRY_SECS: u32 = 5;

/// Reads the certificate and the access lists anew. Scope `admin`.
#[utoipa::path(post, path = "/reload", tag = "hub", responses((status = 204)), security(("bearer" = [])))]
pub(super) async fn reload(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Admin)?;
    ask(&state.hooks.reload).await?.map_err(fields::invalid)?;
    audit::record(&state, "reload", "", &actor).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Saves the swarms and the counts: they are on disk when it is answered. Scope `admin`.
#[utoipa::path(post, path = "/save", tag = "hub", responses((status = 204)), security(("bearer" = [])))]
pub(super) async fn save(State(state): State<Arc<ApiState>>, acting: Acting) -> Result<StatusCode, Problem> {
    save_all(&state, &acting.require(Scope::Admin)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops the hub as Ctrl-C does. Scope `admin`.
#[utoipa::path(post, path = "/shutdown", tag = "hub", responses((status = 204)), security(("bearer" = [])))]
pub(super) async fn shutdown(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
) -> Result<StatusCode, Problem> {
    begin_shutdown(&state, &acting.require(Scope::Admin)?).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Saves the swarms and the counts.
///
/// # Errors
///
/// 503 if they cannot be saved.
pub(super) async fn save_all(state: &ApiState, actor: &Actor) -> Result<(), Problem> {
    ask(&state.hooks.save).await?.map_err(|why| Problem::unavailable(why, RETRY_SECS))?;
    state.catalogue.flush().await?;
    audit::record(state, "save", "", actor).await;
    Ok(())
}

/// Begins a graceful stop.
pub(super) async fn begin_shutdown(state: &ApiState, actor: &Actor) {
    tracing::info!("stopping: asked over HTTP");
    audit::record(state, "shutdown", "", actor).await;
    // If the channel is full or closed, the hub is stopping already.
    let _ = state.hooks.shutdown.try_send(());
}

/// What came of asking the process around the API.
async fn ask(
    hook: &mpsc::Sender<oneshot::Sender<Result<(), String>>>,
) -> Result<Result<(), String>, Problem> {
    let stopping = || Problem::unavailable("the hub is stopping, and saves its state anyway", RETRY_SECS);
    let (answer, answered) = oneshot::channel();
    hook.send(answer).await.map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())
}
