//! Numbers for Prometheus, in its text format 0.0.4.

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::standing::Standing;
use super::{ApiState, Problem};
use crate::accounting::Status;
use crate::store::ledger::Outcome;
use crate::store::roll::Scope;
use crate::tracker::Metric;

/// Numbers for Prometheus, in its text format 0.0.4. Scope `read`.
#[utoipa::path(
    get, path = "/metrics", tag = "hub",
    responses((status = 200, content_type = "text/plain", body = String)), security(("bearer" = [])),
)]
pub(super) async fn metrics(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((content_type, text(&state)).into_response())
}

fn text(state: &ApiState) -> String {
    let stats = state.tracker.stats();
    let mut out = Text::default();
    out.gauge("skep_build_info", "Which program this is.");
    out.sample("skep_build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    out.gauge("skep_uptime_seconds", "Seconds since the start.");
    out.sample("skep_uptime_seconds", "", stats.uptime_secs);
    out.gauge("skep_swarms", "Swarms, those of catalogued torrents without peers included.");
    out.sample("skep_swarms", "", stats.swarms);
    out.gauge("skep_peers", "Peers, by the family of their address.");
    out.sample("skep_peers", "family=\"ipv4\"", stats.population.v4);
    out.sample("skep_peers", "family=\"ipv6\"", stats.population.v6);
    out.gauge("skep_seeders", "Peers that have everything.");
    out.sample("skep_seeders", "", stats.population.seeders);
    out.gauge("skep_swarm_memory_bytes", "Bytes that swarms take.");
    out.sample("skep_swarm_memory_bytes", "", stats.memory_bytes);
    out.gauge("skep_swarm_memory_bytes_max", "Bytes that swarms may take.");
    out.sample("skep_swarm_memory_bytes_max", "", state.memory_bytes_max);
    out.counter("skep_shed_total", "What was given up for lack of memory.");
    out.sample("skep_shed_total", "what=\"details\"", stats.shed.details);
    out.sample("skep_shed_total", "what=\"peers\"", stats.shed.peers);
    out.sample("skep_shed_total", "what=\"refused\"", stats.shed.refused);
    out.counter(
        "skep_completed_unwritten_total",
        "Completed downloads that the catalogue could not take note of.",
    );
    out.sample("skep_completed_unwritten_total", "", state.catalogue.completed_lost());
    if let Some(accounting) = &state.accounting {
        credit(&accounting.status(), &mut out);
    }
    if let Some(counts) = state.webhooks.counts() {
        out.counter("skep_webhooks_total", "What became of messages to webhooks.");
        for (outcome, count) in
            [("delivered", &counts.delivered), ("failed", &counts.failed), ("dropped", &counts.dropped)]
        {
            out.sample("skep_webhooks_total", &format!("outcome=\"{outcome}\""), count.load(Relaxed));
        }
    }
    state.directory.metrics(&mut out);
    let mut last = "";
    for metric in Metric::ALL {
        let (name, labels, help) = described(metric);
        if name != last {
            out.counter(name, help);
            last = name;
        }
        out.sample(name, labels, state.tracker.count(metric));
    }
    out.0
}

fn credit(accounting: &Status, out: &mut Text) {
    let Outcome { uploaded, downloaded, backwards, too_fast } = accounting.outcome;
    out.counter("skep_credited_bytes_total", "Bytes that members were credited, before factors.");
    out.sample("skep_credited_bytes_total", "direction=\"up\"", uploaded);
    out.sample("skep_credited_bytes_total", "direction=\"down\"", downloaded);
    out.counter("skep_flagged_reports_total", "Announces of members whose totals could not be true.");
    out.sample("skep_flagged_reports_total", "why=\"backwards\"", backwards);
    out.sample("skep_flagged_reports_total", "why=\"too_fast\"", too_fast);
    out.gauge("skep_uncredited_reports", "Announces of members that wait to be credited.");
    out.sample("skep_uncredited_reports", "", accounting.queued);
    out.counter("skep_reports_turned_away_total", "Announces of members that there was no room for.");
    out.sample("skep_reports_turned_away_total", "", accounting.turned_away);
}

/// A counter's name, labels and help. Those of one name follow each other in [`Metric::ALL`].
const fn described(metric: Metric) -> (&'static str, &'static str, &'static str) {
    const ANNOUNCES: &str = "Announces answered.";
    const SCRAPES: &str = "Scrapes answered.";
    const REFUSED: &str = "Announces refused.";
    match metric {
        Metric::AnnouncesUdp4 => ("skep_announces_total", "transport=\"udp\",family=\"ipv4\"", ANNOUNCES),
        Metric::AnnouncesUdp6 => ("skep_announces_total", "transport=\"udp\",family=\"ipv6\"", ANNOUNCES),
        Metric::AnnouncesHttp => ("skep_announces_total", "transport=\"http\",family=\"any\"", ANNOUNCES),
        Metric::Connects => ("skep_udp_connects_total", "", "Connect requests answered (BEP 15)."),
        Metric::ScrapesUdp => ("skep_scrapes_total", "transport=\"udp\"", SCRAPES),
        Metric::ScrapesHttp => ("skep_scrapes_total", "transport=\"http\"", SCRAPES),
        Metric::Completed => ("skep_completed_total", "", "Downloads completed."),
        Metric::RefusedPortZero => ("skep_refused_total", "reason=\"port_zero\"", REFUSED),
        Metric::RefusedNetwork => ("skep_refused_total", "reason=\"network\"", REFUSED),
        Metric::RefusedRate => ("skep_refused_total", "reason=\"rate\"", REFUSED),
        Metric::RefusedClient => ("skep_refused_total", "reason=\"client\"", REFUSED),
        Metric::RefusedTorrent => ("skep_refused_total", "reason=\"torrent\"", REFUSED),
        Metric::RefusedPasskey => ("skep_refused_total", "reason=\"passkey\"", REFUSED),
        Metric::RefusedMember => ("skep_refused_total", "reason=\"member\"", REFUSED),
        Metric::RefusedUnlisted => ("skep_refused_total", "reason=\"unlisted\"", REFUSED),
        Metric::RefusedFull => ("skep_refused_total", "reason=\"memory\"", REFUSED),
        Metric::Malformed => ("skep_malformed_total", "", "Requests that were none."),
        Metric::ConnectionIdInvalid => {
            ("skep_udp_connection_id_invalid_total", "", "UDP requests whose connection id was not valid.")
        }
        Metric::SendFailed => ("skep_udp_send_failed_total", "", "UDP answers that the system did not take."),
    }
}

#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, "gauge", help);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) {
        self.head(name, "counter", help);
    }

    // Writing to a String cannot fail.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }
}
