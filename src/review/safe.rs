//! Learner text made safe to show.
//!
//! A review is Markdown that a forge renders with our name on it. Nothing a learner writes may notify anybody, link an
//! issue, close our fences, forge a marker, or read as something else than it is.

/// Characters that move the cursor, take no width or reorder their neighbours: never passed through.
///
/// Controls (but not line feed, which callers decide about), soft hyphen, Arabic letter mark, Mongolian vowel separator,
/// zero-width and bidi characters, line and paragraph separators, invisible operators, BOM, interlinear anchors, variation
/// selectors, tags and language tags; Hangul fillers, which look like nothing.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}
