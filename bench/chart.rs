//! Bar charts as SVG, without a library: bars lie, in groups that each have their own scale, with the value beside every bar
//! and a line from the lowest to the highest round. Text takes the colour of the reader's light or dark page.

use std::fmt::Write as _;

use crate::summary::Spread;

/// One picture.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) groups: Vec<Group>,
}

/// Bars that are compared.
pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) bars: Vec<Bar>,
}

/// A contender's.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: Spread,
    /// The value as it is written.
    pub(crate) text: String,
}

impl Chart {
    /// The SVG document.
    pub(crate) fn svg(&self) -> String {
        let bars: usize = self.groups.iter().map(|group| group.bars.len()).sum();
        let height = TOP + GROUP * whole(self.groups.len()) + ROW * whole(bars) + PADDING;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{0}\">\n<style>{STYLE}</style>\n\
             <text class=\"title\" x=\"{PADDING}\" y=\"24\">{0}</text>\n",
            escaped(&self.title)
        );
        let mut y = TOP;
        for group in &self.groups {
            line(
                &mut svg,
                format_args!(
                    "<text class=\"group\" x=\"{PADDING}\" y=\"{}\">{}</text>",
                    y + GROUP - 8,
                    escaped(&group.label)
                ),
            );
            y += GROUP;
            let ends = group.bars.iter().map(|bar| bar.value.highest.max(bar.value.median));
            let scale = f64::from(BAR) / ends.fold(f64::MIN_POSITIVE, f64::max);
            for bar in &group.bars {
                bar.draw(&mut svg, y, scale);
                y += ROW;
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Bar {
    fn draw(&self, svg: &mut String, y: u32, scale: f64) {
        let Spread { median, lowest, highest } = self.value;
        let (middle, text_y) = (y + ROW / 2, y + ROW / 2 + 4);
        let at = |value: f64| f64::from(LABEL) + value * scale;
        line(
            svg,
            format_args!(
                "<text class=\"label\" x=\"{}\" y=\"{text_y}\">{}</text>",
                LABEL - 8,
                escaped(&self.label)
            ),
        );
        line(
            svg,
            format_args!(
                "<rect class=\"{}\" x=\"{LABEL}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" rx=\"2\"/>",
                class(&self.label),
                y + 3,
                (median * scale).max(1.0),
                ROW - 6
            ),
        );
        if highest > lowest {
            let (from, to) = (at(lowest), at(highest));
            line(
                svg,
                format_args!(
                    "<path class=\"spread\" d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {0}v6M{to:.1} {0}v6\"/>",
                    middle - 3
                ),
            );
        }
        let x = at(median.max(highest)) + 8.0;
        line(
            svg,
            format_args!("<text class=\"value\" x=\"{x:.1}\" y=\"{text_y}\">{}</text>", escaped(&self.text)),
        );
    }
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = writeln!(svg, "{text}");
}

fn class(label: &str) -> &'static str {
    match label.split([',', ' ']).next() {
        Some("headwater") => "headwater",
        Some("debezium") => "debezium",
        _ => "other",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn whole(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}\
.title{font-size:15px;font-weight:600}.group{font-weight:600}.label{text-anchor:end}\
.headwater{fill:#2f81f7}.debezium{fill:#d9822b}.other{fill:#8b949e}\
.spread{stroke:#1f2328;stroke-width:1;fill:none;opacity:.6}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.spread{stroke:#e6edf3}}";
const WIDTH: u32 = 820;
const LABEL: u32 = 285;
const BAR: u32 = 420;
const ROW: u32 = 20;
const GROUP: u32 = 32;
const TOP: u32 = 32;
const PADDING: u32 = 12;
