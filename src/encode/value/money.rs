//! `money` in every form. Its text follows `lc_monetary`: any symbol, sign or bracket, and `.` or `,` before the fraction.

use super::{Misfit, decimal};

/// What a `money` becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum MoneyForm {
    /// base64 of the unscaled number.
    Unscaled,
    /// A JSON number.
    Number,
    /// Its digits as text.
    Text,
    Double,
}

impl MoneyForm {
    #[cfg(test)]
    pub(super) const ALL: [Self; 4] = [Self::Unscaled, Self::Number, Self::Text, Self::Double];
}

/// `digits` are those behind the point of the two precise forms; text and double have the two of the amount.
pub(super) fn write(text: &[u8], digits: u8, form: MoneyForm, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let cents = cents(text)?;
    match form {
        MoneyForm::Unscaled => decimal::push_unscaled(rescale(cents, digits), out),
        MoneyForm::Number => push_number(rescale(cents, digits), digits, out),
        MoneyForm::Text => {
            out.push(b'"');
            push_number(cents, CENTS, out);
            out.push(b'"');
        }
        MoneyForm::Double => {
            let start = out.len();
            push_number(cents, CENTS, out);
            decimal::shorten_to_double(start, out)?;
        }
    }
    Ok(())
}

/// The amount in hundredths.
fn cents(text: &[u8]) -> Result<i128, Misfit> {
    let mut negative = false;
    let mut value: i64 = 0;
    let mut fraction: Option<u32> = None;
    for &byte in text {
        match byte {
            b'-' | b'(' => negative = true,
            b'.' | b',' => fraction = Some(0),
            b'0'..=b'9' => {
                fraction = fraction.map(|digits| digits.saturating_add(1));
                // Downwards, because the least value has no positive counterpart.
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_sub(i64::from(byte - b'0')))
                    .ok_or(Misfit::Malformed)?;
            }
            _ => {}
        }
    }
    if !text.iter().any(u8::is_ascii_digit) {
        return Err(Misfit::Malformed);
    }
    // Three digits behind the last separator are thousands: the currency has no fraction.
    let missing = match fraction {
        Some(digits @ 0..=2) => 2 - digits,
        _ => 2,
    };
    let value = i128::from(value) * 10_i128.pow(missing);
    Ok(if negative { value } else { -value })
}

/// Hundredths at another scale; halves are rounded away from zero, as Java's `HALF_UP` does.
fn rescale(cents: i128, digits: u8) -> i128 {
    if digits >= CENTS {
        return cents * 10_i128.pow(u32::from(digits - CENTS));
    }
    let unit = 10_i128.pow(u32::from(CENTS - digits));
    (cents + cents.signum() * (unit / 2)) / unit
}

/// Plain digits, `digits` of them behind the point.
fn push_number(unscaled: i128, digits: u8, out: &mut Vec<u8>) {
    let unit = 10_u128.pow(u32::from(digits));
    let magnitude = unscaled.unsigned_abs();
    if unscaled < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(itoa::Buffer::new().format(magnitude / unit).as_bytes());
    if digits > 0 {
        // The one in front keeps the zeros.
        let start = out.len();
        out.extend_from_slice(itoa::Buffer::new().format(unit + magnitude % unit).as_bytes());
        if let Some(first) = out.get_mut(start) {
            *first = b'.';
        }
    }
}

/// Digits behind the point of the amounts here.
const CENTS: u8 = 2;

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    const ALL: [MoneyForm; 4] = MoneyForm::ALL;

    #[test]
    fn money_of_any_locale() {
        let precise = ValueWriter::Money { digits: 2, form: MoneyForm::Unscaled };
        for (text, expected) in [
            ("$0.00", "AA=="),
            ("$12.34", "BNI="),
            ("$92,233,720,368,547,758.07", "f/////////8="),
            ("-$92,233,720,368,547,758.08", "gAAAAAAAAAA="),
            ("($0.01)", "/w=="),
            ("$1,000.00", "AYag"),
            ("1.000,00 €", "AYag"),
            ("¥1,000", "AYag"),
            ("¥100", "JxA="),
        ] {
            assert_eq!(json(&precise, text).as_deref(), Ok(&*format!("\"{expected}\"")), "{text}");
        }
        for form in ALL {
            let writer = ValueWriter::Money { digits: 2, form };
            assert_eq!(json(&writer, "$"), Err(Misfit::Malformed));
            assert_eq!(json(&writer, "$999999999999999999999.00"), Err(Misfit::Malformed));
        }
    }

    #[test]
    fn digits_and_forms() {
        for (text, digits, expected) in [
            ("$12.34", 3, ["\"MDQ=\"", "12.340", "\"12.34\"", "12.34"]),
            ("$12.35", 1, ["\"fA==\"", "12.4", "\"12.35\"", "12.35"]),
            ("-$12.35", 1, ["\"hA==\"", "-12.4", "\"-12.35\"", "-12.35"]),
            ("$0.49", 0, ["\"AA==\"", "0", "\"0.49\"", "0.49"]),
            ("-$0.01", 2, ["\"/w==\"", "-0.01", "\"-0.01\"", "-0.01"]),
            (
                "-$92,233,720,368,547,758.08",
                2,
                [
                    "\"gAAAAAAAAAA=\"",
                    "-92233720368547758.08",
                    "\"-92233720368547758.08\"",
                    "-9.223372036854776E16",
                ],
            ),
        ] {
            for (form, expected) in ALL.into_iter().zip(expected) {
                assert_eq!(
                    json(&ValueWriter::Money { digits, form }, text).as_deref(),
                    Ok(expected),
                    "{text} {form:?}"
                );
            }
        }
    }
}
