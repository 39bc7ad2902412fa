//! A load as a picture: latency by percentile, and throughput over time.

use std::error::Error;

use hdrhistogram::Histogram;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::recorder::{Load, SLICE};

const SIZE: (u32, u32) = (900, 640);
const UPPER: u32 = 330;
const COLOURS: [RGBColor; 4] =
    [RGBColor(31, 111, 235), RGBColor(209, 36, 47), RGBColor(26, 127, 55), RGBColor(130, 80, 223)];
/// The picture ends at 99.99 %.
const ONE_OF_MAX: f64 = 10_000.0;
/// Points of each curve.
const POINTS: u32 = 200;
/// Throughput is averaged over this many seconds, or over a hundredth of the run.
const AVERAGED_MIN: f64 = 0.5;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// Draws loads into one picture, each under its name, as SVG.
///
/// # Errors
/// The drawing library refuses.
pub fn draw(title: &str, loads: &[(&str, &Load)]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (upper, lower) = area.titled(title, ("sans-serif", 18))?.split_vertically(UPPER);
        latencies(&upper, loads)?;
        throughput(&lower, loads)?;
        area.present()?;
    }
    Ok(svg)
}

/// The slowest of how many requests is on the horizontal axis, so that 99 % stands as far from
/// 90 % as 99.9 % from 99 %.
fn latencies(area: &Area<'_>, loads: &[(&str, &Load)]) -> Drawn {
    let at = |load: &Load, one_of: f64| milliseconds(&load.answers, 1.0 - 1.0 / one_of);
    let ends = |one_of: f64| loads.iter().map(move |(_, load)| at(load, one_of));
    let least = ends(1.0).fold(f64::INFINITY, f64::min).max(0.001);
    let most = ends(ONE_OF_MAX).fold(least * 2.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(30)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d((1.0..ONE_OF_MAX).log_scale(), (least..most).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|one_of| format!("{} %", 100.0 - 100.0 / one_of))
        .y_label_formatter(&|milliseconds| format!("{milliseconds}"))
        .x_desc("of all requests took at most")
        .y_desc("latency, ms")
        .draw()?;
    for ((name, load), colour) in loads.iter().zip(COLOURS.iter().cycle()) {
        let one_of = (0..=POINTS).map(|point| {
            let part = f64::from(point) / f64::from(POINTS);
            ONE_OF_MAX.powf(part)
        });
        let points = one_of.map(|one_of| (one_of, at(load, one_of).max(least)));
        let line = LineSeries::new(points, colour.stroke_width(2));
        let key = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
        chart.draw_series(line)?.label(*name).legend(key);
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE).draw()?;
    Ok(())
}

fn throughput(area: &Area<'_>, loads: &[(&str, &Load)]) -> Drawn {
    let curves: Vec<_> = loads.iter().map(|(_, load)| per_second(&load.per_slice)).collect();
    let points = || curves.iter().flatten();
    let seconds = loads.iter().map(|(_, load)| load.per_slice.len()).max().unwrap_or(1);
    let seconds = seconds.max(1) as f64 * SLICE.as_secs_f64();
    let most = points().map(|(_, rate)| *rate).fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(30)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..seconds, 0.0..most)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("seconds")
        .y_desc("commands/s")
        .y_label_formatter(&|rate| format!("{rate:.0}"))
        .draw()?;
    for (curve, colour) in curves.into_iter().zip(COLOURS.iter().cycle()) {
        chart.draw_series(LineSeries::new(curve, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Averages over equal parts of the run: the middle of each, and commands a second in it.
fn per_second(per_slice: &[u64]) -> Vec<(f64, f64)> {
    let slice = SLICE.as_secs_f64();
    let length = (per_slice.len() as f64 * slice / 100.0).max(AVERAGED_MIN);
    let parts = per_slice.chunks(((length / slice).round() as usize).max(1));
    let mut from = 0.0;
    let points = parts.map(|part| {
        let seconds = part.len() as f64 * slice;
        let middle = from + seconds / 2.0;
        from += seconds;
        (middle, part.iter().sum::<u64>() as f64 / seconds)
    });
    points.collect()
}

fn milliseconds(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_averaged_over_parts_of_the_run() {
        // Two seconds of ten commands each tenth of a second, then nothing for half a second.
        let slices: Vec<u64> = (0..25).map(|slice| if slice < 20 { 10 } else { 0 }).collect();
        let curve = per_second(&slices);
        assert_eq!(curve.len(), 5);
        assert!((curve[0].0 - 0.25).abs() < 1e-9 && (curve[0].1 - 100.0).abs() < 1e-9);
        assert!((curve[4].0 - 2.25).abs() < 1e-9 && curve[4].1 == 0.0);
    }
}
