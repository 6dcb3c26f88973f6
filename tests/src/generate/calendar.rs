//! Time zones, and times around which their clocks change.

use super::feature::Feature;
use super::{Generator, START};

/// Zones, and a time at which their clocks go forward or back: over midnight, or a minute after it, or by a whole day.
const CHANGES: [(&str, i64); 13] = [
    ("America/New_York", 1_710_054_000_000),
    ("America/New_York", 1_730_613_600_000),
    ("America/Havana", 1_710_046_800_000),
    ("America/Havana", 1_730_610_000_000),
    ("Asia/Beirut", 1_711_836_000_000),
    ("Asia/Beirut", 1_729_976_400_000),
    ("America/Asuncion", 1_728_187_200_000),
    ("America/Asuncion", 1_711_249_200_000),
    ("America/St_Johns", 1_162_089_060_000),
    ("America/St_Johns", 1_162_089_060_000),
    ("America/St_Johns", 1_143_948_660_000),
    ("Pacific/Apia", 1_325_239_200_000),
    ("UTC", 1_735_689_600_000),
];

impl Generator {
    /// `time_zone` and `week_start`, each behind a comma; and from now on, counters that count days, weeks and months.
    pub(super) fn calendar(&mut self) -> String {
        let mut top = String::new();
        self.changes = None;
        if !self.may(Feature::Calendars) {
            return top;
        }
        if self.chance(30) {
            let (zone, change) = CHANGES[self.below(CHANGES.len())];
            self.changes = Some(change);
            top.push_str(&format!("\"time_zone\":\"{zone}\","));
        }
        if self.chance(30) {
            top.push_str(self.pick(&[
                "\"week_start\":\"sunday\",",
                "\"week_start\":\"sunday\",",
                "\"week_start\":\"monday\",",
            ]));
        }
        top
    }

    /// When the first call is made.
    pub(super) fn start(&mut self) -> i64 {
        match self.changes {
            None => START,
            Some(change) => {
                change
                    + [-86_400_000, -3_660_000, -60_000, -61_000, -1, 0, -7_200_000, -43_200_000]
                        [self.below(8)]
            }
        }
    }

    /// How much later the next call is: where clocks change, often by hours, or to a time at which some zone's day begins.
    pub(super) fn step_of_clocks(&mut self, at: i64) -> i64 {
        match self.below(10) {
            0..3 => 0,
            3 => 1,
            4 => 60_000,
            5 => 1_800_000,
            6 => 3_600_000,
            7 => [86_400_000, 43_200_000, 604_800_000, 2_678_400_000][self.below(4)],
            8 => 30_000,
            // To the half hour, or just before it.
            _ => 1_800_000 - at.rem_euclid(1_800_000) - self.below(2) as i64,
        }
    }
}
