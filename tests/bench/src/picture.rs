//! How throughput and latency change as a server grows, as a picture.

use std::error::Error;
use std::io::Read as _;
use std::path::Path;

use plotters::prelude::*;
use serde::Deserialize;

const CHART: (u32, u32) = (440, 260);
const COLOUR: RGBColor = RGBColor(31, 111, 235);

/// What grows somewhere, step by step.
#[derive(Debug, Deserialize)]
struct Curve {
    name: String,
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    step: f64,
    per_second: f64,
    p99_ms: f64,
}

/// Reads curves as JSON from the standard input, and draws them into this file: a row for each,
/// throughput on the left and the 99th percentile on the right.
pub(crate) fn draw(file: &Path) -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let curves: Vec<Curve> = serde_json::from_str(&text)?;
    let svg = drawn(&curves).map_err(|why| anyhow::anyhow!("no picture: {why}"))?;
    Ok(std::fs::write(file, svg)?)
}

fn drawn(curves: &[Curve]) -> Result<String, Box<dyn Error>> {
    let rows = u32::try_from(curves.len())?.max(1);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (2 * CHART.0, rows * CHART.1));
        let area = area.into_drawing_area();
        area.fill(&WHITE)?;
        let charts = area.split_evenly((rows as usize, 2));
        for (curve, row) in curves.iter().zip(charts.chunks(2)) {
            let of = |figure: fn(&Point) -> f64| {
                curve.points.iter().map(move |point| (point.step, figure(point))).collect()
            };
            let [left, right] = row else { continue };
            chart(left, &curve.name, ("commands/s", of(|point| point.per_second)))?;
            chart(right, &curve.name, ("99th percentile, ms", of(|point| point.p99_ms)))?;
        }
        area.present()?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn chart(
    area: &Area<'_>,
    name: &str,
    (figure, points): (&str, Vec<(f64, f64)>),
) -> Result<(), Box<dyn Error>> {
    let steps = || points.iter().map(|(step, _)| *step);
    let least = steps().fold(f64::INFINITY, f64::min).max(1.0);
    let most = steps().fold(least * 2.0, f64::max);
    let highest = points.iter().map(|(_, figure)| *figure).fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(30)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(30)
        .y_label_area_size(70)
        .build_cartesian_2d((least..most).log_scale(), 0.0..highest)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|figure| format!("{figure:.0}"))
        .y_desc(figure)
        .draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), COLOUR.stroke_width(2)))?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, COLOUR.filled())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_curve_is_drawn_twice_under_its_name() {
        let point = |step, per_second| Point { step, per_second, p99_ms: 12.0 };
        let points = vec![point(1.0, 1_000.0), point(8.0, 1_500.0), point(64.0, 900.0)];
        let curves = ["embedded, partitions", "fleet, workers"];
        let curves = curves.map(|name| Curve { name: name.to_owned(), points: points.clone() });
        let svg = drawn(&curves).unwrap();
        assert_eq!(svg.matches("embedded, partitions").count(), 2);
        assert_eq!(svg.matches("fleet, workers").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 2 * 2 * 3);
    }
}
