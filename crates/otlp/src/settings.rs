//! Where spans go, and how many.

use serde::{Deserialize, Serialize};

/// Where the spans of traces go, which are begun here, and the limits; the unit is the end of each
/// name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where a collector takes OTLP over HTTP, `http://host:4318`. When unset, it is where the
    /// variables `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` say, and
    /// without them nothing is recorded.
    pub otlp_endpoint: Option<String>,
    /// Of which part of the commands a trace is begun whose callers have begun none: from 0, none,
    /// to 1, all. What belongs to a caller's trace is recorded when the caller records it.
    pub root_ratio: f64,
    /// So many spans may wait to be sent; more are dropped.
    pub queue_spans_max: usize,
    /// So many spans are sent at a time.
    pub batch_spans_max: usize,
    /// So long a span waits at most for others to be sent with.
    pub export_every_ms: u64,
    /// So long the collector may take for a batch, with all tries, before it is dropped.
    pub export_ms_max: u64,
    /// So long a process that goes down waits for its last spans to leave.
    pub drain_ms_max: u64,
}

impl Settings {
    /// Whether spans can be sent within these limits.
    ///
    /// # Errors
    /// Names the settings that are wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(0.0..=1.0).contains(&self.root_ratio) {
            return Err("telemetry: root_ratio is from 0 to 1");
        }
        if self.queue_spans_max == 0 || self.batch_spans_max == 0 {
            return Err("telemetry: queue_spans_max and batch_spans_max are at least 1");
        }
        Ok(())
    }

    /// Where spans go, if anywhere; `variable` reads the environment.
    pub(crate) fn endpoint(&self, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let traces = |base: String| format!("{}/v1/traces", base.trim_end_matches('/'));
        given(self.otlp_endpoint.clone())
            .map(traces)
            .or_else(|| given(variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")))
            .or_else(|| given(variable("OTEL_EXPORTER_OTLP_ENDPOINT")).map(traces))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            root_ratio: 0.0,
            queue_spans_max: 8_192,
            batch_spans_max: 512,
            export_every_ms: 1_000,
            export_ms_max: 5_000,
            drain_ms_max: 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_setting_outweighs_the_standard_variables() {
        let of = |setting: Option<&str>, variables: &[(&str, &str)]| {
            let settings =
                Settings { otlp_endpoint: setting.map(str::to_owned), ..Settings::default() };
            settings.endpoint(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all/");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces/x");
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(Some(""), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
        assert_eq!(of(None, &[all]).as_deref(), Some("http://all/v1/traces"));
        assert_eq!(of(None, &[all, traces]).as_deref(), Some("http://traces/x"));
        assert_eq!(of(Some("http://own"), &[all]).as_deref(), Some("http://own/v1/traces"));
    }

    #[test]
    fn limits_that_leave_nothing_are_refused() {
        assert_eq!(Settings::default().check(), Ok(()));
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(Settings { root_ratio: ratio, ..Settings::default() }.check().is_err());
        }
        assert!(Settings { queue_spans_max: 0, ..Settings::default() }.check().is_err());
        assert!(Settings { batch_spans_max: 0, ..Settings::default() }.check().is_err());
    }
}
