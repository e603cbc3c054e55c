//! Dates, as `strftime` writes them in English.

use super::fault;
use crate::Result;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `seconds` since 1970 by the format; what no date has is refused.
pub(super) fn strftime(seconds: i64, format: &str) -> Result<String> {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let weekday = (days + 4).rem_euclid(7);
    let day_of_year = days - days_before(year, 1, 1) + 1;
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let (weekday_name, month_name) = (DAYS[weekday as usize], MONTHS[month as usize - 1]);
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let mut directive = chars.next();
        let bare = directive == Some('-');
        if bare {
            directive = chars.next();
        }
        let number = |value: i64, width: usize| {
            if bare { value.to_string() } else { format!("{value:0width$}") }
        };
        text.push_str(&match directive {
            Some('Y') => year.to_string(),
            Some('y') => number(year.rem_euclid(100), 2),
            Some('m') => number(month, 2),
            Some('d') => number(day, 2),
            Some('e') => format!("{day:2}"),
            Some('j') => number(day_of_year, 3),
            Some('H') => number(hour, 2),
            Some('I') => number(twelve, 2),
            Some('M') => number(minute, 2),
            Some('S') => number(second, 2),
            Some('f') => "000000".to_owned(),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Some('A') => weekday_name.to_owned(),
            Some('a') => weekday_name[..3].to_owned(),
            Some('w') => weekday.to_string(),
            Some('u') => (if weekday == 0 { 7 } else { weekday }).to_string(),
            Some('B') => month_name.to_owned(),
            Some('b' | 'h') => month_name[..3].to_owned(),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('D' | 'x') => format!("{month:02}/{day:02}/{:02}", year.rem_euclid(100)),
            Some('T' | 'X') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('R') => format!("{hour:02}:{minute:02}"),
            Some('s') => seconds.to_string(),
            Some('n') => "\n".to_owned(),
            Some('t') => "\t".to_owned(),
            Some('%') => "%".to_owned(),
            // The time has no zone.
            Some('z' | 'Z') => String::new(),
            Some('c') => {
                let (weekday, month) = (&weekday_name[..3], &month_name[..3]);
                format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}")
            }
            other => return Err(fault(format!("strftime knows no %{}", other.unwrap_or(' ')))),
        });
    }
    Ok(text)
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// Year, month and day, so many days from 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    // At most one year too late, since the mean year has 365.2425 days.
    let mut year = 1970 + days.div_euclid(365);
    while days_before(year, 1, 1) > days {
        year -= 1 + (days_before(year, 1, 1) - days - 1) / 366;
    }
    let mut month = 12;
    while days_before(year, month, 1) > days {
        month -= 1;
    }
    (year, month, days - days_before(year, month, 1) + 1)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |seconds, expected: &str| {
            assert_eq!(strftime(seconds, "%A %d %B %Y %H:%M:%S %j").unwrap(), expected);
        };
        check(0, "Thursday 01 January 1970 00:00:00 001");
        check(951_782_400, "Tuesday 29 February 2000 00:00:00 060");
        check(1_709_251_199, "Thursday 29 February 2024 23:59:59 060");
        check(1_735_689_599, "Tuesday 31 December 2024 23:59:59 366");
        check(4_107_542_400, "Monday 01 March 2100 00:00:00 060");
        check(-1, "Wednesday 31 December 1969 23:59:59 365");
        assert!(strftime(0, "%Q").is_err() && strftime(0, "%").is_err());
        for days in -200_000..200_000 {
            let (year, month, day) = civil(days);
            assert_eq!(days_before(year, month, day), days);
        }
    }
}
