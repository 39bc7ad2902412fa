//! The timeline of a run as a picture: outcomes in each second, and below it what was done to the
//! fleet.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ordain_tests::faults::Blow;

use crate::figures::{Figures, SECOND};

const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 90.0;
const TOP: f64 = 30.0;
const HEIGHT: f64 = 220.0;
const LANE: f64 = 18.0;

/// Draws it as SVG.
pub(crate) fn draw(figures: &Figures, blows: &[Blow], loaded: u64) -> String {
    let kinds: BTreeSet<&str> = blows.iter().map(|blow| blow.kind).collect();
    let height = TOP + HEIGHT + LANE * (kinds.len() as f64 + 2.5);
    let seconds = (loaded as f64 / SECOND as f64).max(1.0);
    let x = |seconds_in: f64| LEFT + (WIDTH - LEFT - 10.0) * seconds_in / seconds;
    let most = figures.per_second.iter().copied().max().unwrap_or(1).max(1) as f64;
    let y = |outcomes: f64| TOP + HEIGHT * (1.0 - outcomes / most);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"13\">Outcomes in each second, and what failed \
         meanwhile</text>\n"
    );
    for part in 0..=4 {
        let outcomes = most * f64::from(part) / 4.0;
        let (at, text) = (y(outcomes), LEFT - 6.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{text}\" y=\"{:.1}\" text-anchor=\"end\">{outcomes:.0}</text>",
            at + 4.0
        );
    }
    let shown = figures.per_second.iter().take(seconds.ceil() as usize).enumerate();
    let points = shown.map(|(second, outcomes)| {
        format!("{:.1},{:.1}", x(second as f64 + 0.5), y(*outcomes as f64))
    });
    let points = points.collect::<Vec<_>>().join(" ");
    let _ = writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"#1f6feb\"/>");
    for (lane, kind) in kinds.into_iter().enumerate() {
        let top = TOP + HEIGHT + LANE * (lane as f64 + 0.7);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{kind}</text>",
            LEFT - 6.0,
            top + 11.0
        );
        for blow in blows.iter().filter(|blow| blow.kind == kind) {
            let (from, to) = (blow.begun, blow.ended.unwrap_or(loaded));
            let (from, to) = (x(from as f64 / SECOND as f64), x(to as f64 / SECOND as f64));
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"13\" \
                 fill=\"#d1242f\" fill-opacity=\"0.6\"><title>{}</title></rect>",
                (to - from).max(1.5),
                blow.name
            );
        }
    }
    let minutes = (seconds / 60.0).floor() as u32;
    for minute in (0..=minutes).step_by(minutes as usize / 20 + 1) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{minute} min</text>",
            x(f64::from(minute) * 60.0),
            height - 6.0
        );
    }
    svg + "</svg>\n"
}
