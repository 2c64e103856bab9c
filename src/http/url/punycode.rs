//! The ASCII form of an internationalised name, for an error to show (RFC 3492).
//!
//! A name is shown only if no table is needed to normalise it: the user decides whether to send it.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// Returns the ASCII form of a lower-case domain, or `None` if a character might have to be mapped to another one.
pub(super) fn domain(host: &str) -> Option<String> {
    let labels: Option<Vec<_>> = host.split('.').map(label).collect();
    labels.map(|labels| labels.join("."))
}

fn label(label: &str) -> Option<String> {
    if label.is_ascii() {
        return Some(label.to_owned());
    }
    if !label.chars().all(is_plain) {
        return None;
    }
    encode(label).map(|encoded| format!("xn--{encoded}"))
}

/// Returns `true` for a character that maps to itself in every domain (UTS 46): lower-case letters of common scripts.
fn is_plain(character: char) -> bool {
    match character {
        'ß'..='ö' | 'ø'..='ÿ' | 'ά'..='ώ' | 'а'..='џ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='\u{9fff}' | '가'..='힣' => {
            true
        }
        _ => character.is_ascii(),
    }
}

/// RFC 3492 §6.3.
fn encode(label: &str) -> Option<String> {
    let input: Vec<u32> = label.chars().map(u32::from).collect();
    let mut output: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(output.len()).ok()?;
    let total = u32::try_from(input.len()).ok()?;
    if basic > 0 {
        output.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (INITIAL_N, 0_u32, INITIAL_BIAS, basic);
    while handled < total {
        let next = input.iter().copied().filter(|point| *point >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for point in &input {
            if *point < n {
                delta = delta.checked_add(1)?;
            }
            if *point == n {
                push_number(&mut output, delta, bias);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(output)
}

/// Appends a delta as a variable-length integer.
fn push_number(output: &mut String, delta: u32, bias: u32) {
    let (mut rest, mut k) = (delta, BASE);
    loop {
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if rest < threshold {
            output.push(digit(rest));
            return;
        }
        output.push(digit(threshold + (rest - threshold) % (BASE - threshold)));
        rest = (rest - threshold) / (BASE - threshold);
        k += BASE;
    }
}

/// RFC 3492 §5: a to z, then 0 to 9.
fn digit(value: u32) -> char {
    const DIGITS: [u8; 36] = *b"abcdefghijklmnopqrstuvwxyz0123456789";
    DIGITS.get(value as usize).map_or('a', |byte| char::from(*byte))
}

fn adapt(delta: u32, handled: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / handled;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}
