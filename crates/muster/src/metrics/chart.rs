//! A chart: a bar for each day, of one part or of two that stand on one another, with the same numbers as a table.

use chrono::NaiveDate;

/// The size of the drawing, in units of its own.
const WIDTH: f64 = 600.0;
/// See [`WIDTH`].
const HEIGHT: f64 = 120.0;

/// The part of its day's place that a bar takes.
const BAR_SHARE: f64 = 0.8;

/// A part of each bar.
#[derive(Debug)]
pub struct Part {
    /// Its class in the style, which gives it its colour.
    pub class: &'static str,
    /// What it is called, below the drawing and at the head of its column.
    pub label: &'static str,
    /// All of it, as one path.
    pub path: String,
}

/// A chart of a period.
#[derive(Debug)]
pub struct Chart {
    /// Its id on the page.
    pub id: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// What is to be seen in it, in a sentence.
    pub said: String,
    /// The parts of its bars, from below.
    pub parts: Vec<Part>,
    /// The numbers: a day, and one for each part.
    pub rows: Vec<(NaiveDate, Vec<String>)>,
}

impl Chart {
    /// Draws the days from the first to the last; a day without numbers has none, and no bar. `written` is how a number is
    /// written, with its unit.
    pub fn new<const PARTS: usize>(
        (id, title): (&'static str, &'static str),
        labels: [(&'static str, &'static str); PARTS],
        (from, to): (NaiveDate, NaiveDate),
        days: &[(NaiveDate, [f64; PARTS])],
        written: impl Fn(f64) -> String,
    ) -> Self {
        let height = |values: &[f64; PARTS]| values.iter().sum::<f64>();
        let highest = days.iter().max_by(|a, b| height(&a.1).total_cmp(&height(&b.1)));
        let top = highest.map_or(0.0, |(_, values)| height(values));
        let said = match highest {
            Some((date, _)) if top > 0.0 => format!("At most {} on a day, on {date}.", written(top)),
            _ => "Nothing in this period.".to_owned(),
        };
        let place = WIDTH / ((to - from).num_days() + 1).max(1) as f64;
        let path = |part: usize| {
            let bars = days.iter().filter(|(_, values)| values[part] > 0.0);
            let bars = bars.map(|(date, values)| {
                let x = (*date - from).num_days() as f64 * place + place * (1.0 - BAR_SHARE) / 2.0;
                let scaled = |value: f64| value / top * HEIGHT;
                let below: f64 = values[..part].iter().sum();
                let (width, height) = (place * BAR_SHARE, scaled(values[part]));
                let y = HEIGHT - scaled(below) - height;
                format!("M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z")
            });
            bars.collect()
        };
        let parts = labels.iter().enumerate().map(|(part, (class, label))| Part {
            class,
            label,
            path: path(part),
        });
        Self {
            id,
            title,
            said,
            parts: parts.collect(),
            rows: days
                .iter()
                .map(|(date, values)| (*date, values.iter().map(|value| written(*value)).collect()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).expect("a day")
    }

    #[test]
    fn bars_stand_on_one_another_at_their_day_and_the_highest_is_as_high_as_the_drawing() {
        let labels = [("completed", "Completed"), ("failed", "Failed")];
        let days = [(day(1), [3.0, 1.0]), (day(4), [1.0, 0.0])];
        let chart = Chart::new(("c", "Title"), labels, (day(1), day(4)), &days, |n| {
            format!("{n:.0}")
        });
        assert_eq!(
            chart.parts[0].path,
            "M15.0 30.0h120.0v90.0h-120.0zM465.0 90.0h120.0v30.0h-120.0z"
        );
        assert_eq!(chart.parts[1].path, "M15.0 0.0h120.0v30.0h-120.0z");
        assert_eq!(chart.said, "At most 4 on a day, on 2026-01-01.");
        assert_eq!(chart.rows[1], (day(4), vec!["1".to_owned(), "0".to_owned()]));
    }

    #[test]
    fn a_period_without_numbers_is_drawn_empty() {
        let chart = Chart::new(
            ("c", "T"),
            [("completed", "C")],
            (day(1), day(1)),
            &[(day(1), [0.0])],
            |n| n.to_string(),
        );
        assert_eq!(
            (chart.parts[0].path.as_str(), chart.said.as_str()),
            ("", "Nothing in this period.")
        );
    }
}
