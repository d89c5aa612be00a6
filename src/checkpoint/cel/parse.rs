//! From tokens to a tree, by precedence climbing. The grammar is that of the CEL specification with optional syntax and
//! quoted fields; a test holds it to the parser of the crate `cel`.

use super::lexer::{Token, tokens};
use super::limits;
use super::node::{Constant, Operator};

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Byte offset that problems point at: the start of a name, the operator of an operation.
    pub at: usize,
    /// What it is.
    pub kind: ExprKind,
}

/// What a parsed expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A literal.
    Constant(Constant),
    /// A name.
    Name(String),
    /// `operand.field`, `operand.?field`.
    Select {
        /// What is selected from.
        operand: Box<Expr>,
        /// The key.
        field: String,
        /// `.?`
        optional: bool,
    },
    /// `operand[index]`, `operand[?index]`.
    Index {
        /// What is selected from.
        operand: Box<Expr>,
        /// Position or key.
        index: Box<Expr>,
        /// `[?`
        optional: bool,
    },
    /// `name(…)`, `target.name(…)`.
    Call {
        /// The receiver or namespace.
        target: Option<Box<Expr>>,
        /// The name.
        name: String,
        /// The arguments.
        arguments: Vec<Expr>,
    },
    /// `!x`.
    Not(Box<Expr>),
    /// `-x`.
    Negate(Box<Expr>),
    /// Arithmetic, comparison, `in`.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a && b && …`, flat.
    All(Vec<Expr>),
    /// `a || b || …`, flat.
    Any(Vec<Expr>),
    /// `a ? b : c`.
    Condition(Box<[Expr; 3]>),
    /// `[a, ?b]`.
    List(Vec<(Expr, bool)>),
    /// `{a: b, ?c: d}`.
    Map(Vec<(Expr, Expr, bool)>),
}

/// Words that other languages of the family use.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "in",
    "true",
    "false",
    "null",
];

/// Parses an expression.
///
/// # Errors
/// Byte offset and message of the first problem.
pub fn parse(source: &str) -> Result<Expr, (usize, String)> {
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens: &tokens, next: 0, end: source.len(), depth: 0 };
    let expression = parser.expression()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err((parser.at(), format!("{} is not expected here", token.describe()))),
    }
}

struct Parser<'t> {
    tokens: &'t [(Token, usize)],
    next: usize,
    end: usize,
    depth: usize,
}

type Parsed = Result<Expr, (usize, String)>;

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, at)| *at)
    }

    fn sees(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let sees = self.sees(sign);
        self.next += usize::from(sees);
        sees
    }

    fn needs(&mut self, sign: &str, after: &str) -> Result<(), (usize, String)> {
        if self.takes(sign) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "it ends".to_owned(), |token| format!("there is {}", token.describe()));
        Err((self.at(), format!("`{sign}` is missing after {after}: {found}")))
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > limits::DEPTH {
            return Err((self.at(), limits::too_deep()));
        }
        let result = self.condition();
        self.depth -= 1;
        result
    }

    fn condition(&mut self) -> Parsed {
        let test = self.chain("||")?;
        let at = self.at();
        if !self.takes("?") {
            return Ok(test);
        }
        let yes = self.chain("||")?;
        self.needs(":", "the first branch of `?`")?;
        let no = self.expression()?;
        Ok(Expr { at, kind: ExprKind::Condition(Box::new([test, yes, no])) })
    }

    /// `a || b`, whose operands are chains of `&&`, whose operands are relations.
    fn chain(&mut self, sign: &str) -> Parsed {
        let operand = |parser: &mut Self| if sign == "||" { parser.chain("&&") } else { parser.binary(4) };
        let first = operand(self)?;
        let at = self.at();
        if !self.sees(sign) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.takes(sign) {
            parts.push(operand(self)?);
        }
        Ok(Expr { at, kind: if sign == "||" { ExprKind::Any(parts) } else { ExprKind::All(parts) } })
    }

    /// Operators that bind at least as tightly as `least`, left to right.
    fn binary(&mut self, least: u8) -> Parsed {
        let mut left = self.unary()?;
        while let Some(operator) = self.peek().and_then(operator).filter(|operator| operator.precedence() >= least) {
            let at = self.at();
            self.next += 1;
            let right = self.binary(operator.precedence() + 1)?;
            left = Expr { at, kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.at();
        let sign = if self.sees("!") { "!" } else { "-" };
        let mut count = 0_usize;
        while self.sees(sign) {
            // The sign of a number belongs to it.
            if self.sees_negative_number() {
                break;
            }
            self.next += 1;
            count += 1;
        }
        let operand = self.member()?;
        // Pairs cancel out, as in the reference parser; `!!x` still demands a bool, so it is kept.
        let kept = if count == 0 { 0 } else { 2 - count % 2 };
        Ok((0..kept).fold(operand, |inner, _| {
            let inner = Box::new(inner);
            Expr { at: start, kind: if sign == "!" { ExprKind::Not(inner) } else { ExprKind::Negate(inner) } }
        }))
    }

    fn sees_negative_number(&self) -> bool {
        self.sees("-") && matches!(self.tokens.get(self.next + 1), Some((Token::Int(_) | Token::Double(_), _)))
    }

    fn member(&mut self) -> Parsed {
        let mut operand = self.primary()?;
        loop {
            let at = self.at();
            if self.takes(".") {
                let optional = self.takes("?");
                let name_at = self.at();
                let (field, quoted) = match self.peek() {
                    Some(Token::Word(word)) => (word.clone(), false),
                    Some(Token::Field(name)) => (name.clone(), true),
                    _ => return Err((name_at, "a field name is missing after `.`".to_owned())),
                };
                self.next += 1;
                operand = if !quoted && !optional && self.takes("(") {
                    let arguments = self.arguments(")")?;
                    let target = Some(Box::new(operand));
                    Expr { at: name_at, kind: ExprKind::Call { target, name: field, arguments } }
                } else {
                    Expr { at, kind: ExprKind::Select { operand: Box::new(operand), field, optional } }
                };
            } else if self.takes("[") {
                let optional = self.takes("?");
                let index = Box::new(self.expression()?);
                self.needs("]", "the index")?;
                operand = Expr { at, kind: ExprKind::Index { operand: Box::new(operand), index, optional } };
            } else if self.sees("{") && is_qualified_name(&operand) {
                return Err((at, "message literals such as `Type{…}` are not supported".to_owned()));
            } else {
                return Ok(operand);
            }
        }
    }

    fn arguments(&mut self, close: &'static str) -> Result<Vec<Expr>, (usize, String)> {
        let mut arguments = Vec::new();
        if self.takes(close) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if !self.takes(",") {
                self.needs(close, "the arguments")?;
                return Ok(arguments);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at();
        let negative = self.sees_negative_number();
        self.next += usize::from(negative);
        let Some(token) = self.peek() else {
            return Err((at, "the expression ends where a value is expected".to_owned()));
        };
        self.next += 1;
        let constant = |constant| Ok(Expr { at, kind: ExprKind::Constant(constant) });
        match token {
            Token::Int(magnitude) => {
                let value = if negative { -i128::from(*magnitude) } else { i128::from(*magnitude) };
                let value = i64::try_from(value).map_err(|_| (at, "the number is too large".to_owned()))?;
                constant(Constant::Int(value))
            }
            Token::Double(value) => constant(Constant::Double(if negative { -value } else { *value })),
            Token::Uint(value) if !negative => constant(Constant::Uint(*value)),
            Token::Text(text) => constant(Constant::Text(text.clone())),
            Token::Bytes(bytes) => constant(Constant::Bytes(bytes.clone())),
            Token::Word(word) => self.word(at, word),
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.needs(")", "the expression in parentheses")?;
                Ok(inner)
            }
            Token::Sign("[") => self.list(at),
            Token::Sign("{") => self.map(at),
            // A leading dot means the outermost scope; rules have no other.
            Token::Sign(".") => match self.peek() {
                Some(Token::Word(word)) => {
                    self.next += 1;
                    self.word(at, word)
                }
                _ => Err((at, "a name is missing after `.`".to_owned())),
            },
            other => Err((at, format!("{} stands where a value is expected", other.describe()))),
        }
    }

    fn word(&mut self, at: usize, word: &str) -> Parsed {
        let kind = match word {
            "true" => ExprKind::Constant(Constant::Bool(true)),
            "false" => ExprKind::Constant(Constant::Bool(false)),
            "null" => ExprKind::Constant(Constant::Null),
            reserved if RESERVED.contains(&reserved) => {
                return Err((at, format!("`{word}` is a reserved word and cannot be a name")));
            }
            name if self.takes("(") => {
                ExprKind::Call { target: None, name: name.to_owned(), arguments: self.arguments(")")? }
            }
            name => ExprKind::Name(name.to_owned()),
        };
        Ok(Expr { at, kind })
    }

    fn list(&mut self, at: usize) -> Parsed {
        let mut items = Vec::new();
        while !self.takes("]") {
            let optional = self.takes("?");
            items.push((self.expression()?, optional));
            if !self.takes(",") {
                self.needs("]", "the items of the list")?;
                break;
            }
        }
        Ok(Expr { at, kind: ExprKind::List(items) })
    }

    fn map(&mut self, at: usize) -> Parsed {
        let mut entries = Vec::new();
        while !self.takes("}") {
            let optional = self.takes("?");
            let key = self.expression()?;
            self.needs(":", "the key of the map")?;
            entries.push((key, self.expression()?, optional));
            if !self.takes(",") {
                self.needs("}", "the entries of the map")?;
                break;
            }
        }
        Ok(Expr { at, kind: ExprKind::Map(entries) })
    }
}

fn is_qualified_name(expression: &Expr) -> bool {
    match &expression.kind {
        ExprKind::Name(_) => true,
        ExprKind::Select { operand, optional: false, .. } => is_qualified_name(operand),
        _ => false,
    }
}

fn operator(token: &Token) -> Option<Operator> {
    Some(match token {
        Token::Word(word) if word == "in" => Operator::In,
        Token::Sign("+") => Operator::Add,
        Token::Sign("-") => Operator::Subtract,
        Token::Sign("*") => Operator::Multiply,
        Token::Sign("/") => Operator::Divide,
        Token::Sign("%") => Operator::Remainder,
        Token::Sign("==") => Operator::Equal,
        Token::Sign("!=") => Operator::NotEqual,
        Token::Sign("<") => Operator::Less,
        Token::Sign("<=") => Operator::LessOrEqual,
        Token::Sign(">") => Operator::Greater,
        Token::Sign(">=") => Operator::GreaterOrEqual,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use cel::IdedExpr;
    use cel::common::ast::{EntryExpr, Expr as Theirs, LiteralValue, operators as op};
    use proptest::prelude::*;

    use super::*;

    /// Our tree as text, with pairs of `!` and of `-` left out: the crate drops them while parsing.
    fn ours(expression: &Expr) -> String {
        let all = |parts: &[Expr]| parts.iter().map(ours).collect::<Vec<_>>().join(" ");
        let mark = |optional: bool| if optional { "?" } else { "" };
        match &expression.kind {
            ExprKind::Constant(constant) => format!("{constant:?}"),
            ExprKind::Name(name) => name.clone(),
            ExprKind::Select { operand, field, optional } => format!("({}.{} {field})", mark(*optional), ours(operand)),
            ExprKind::Index { operand, index, optional } => {
                format!("([{} {} {})", mark(*optional), ours(operand), ours(index))
            }
            ExprKind::Call { target, name, arguments } => {
                let target = target.as_ref().map(|target| ours(target)).unwrap_or_default();
                format!("({target}#{name} {})", all(arguments))
            }
            ExprKind::Not(inner) => match &inner.kind {
                ExprKind::Not(innermost) => ours(innermost),
                _ => format!("(! {})", ours(inner)),
            },
            ExprKind::Negate(inner) => match &inner.kind {
                ExprKind::Negate(innermost) => ours(innermost),
                _ => format!("(neg {})", ours(inner)),
            },
            ExprKind::Binary(operator, left, right) => {
                format!("({} {} {})", operator.symbol(), ours(left), ours(right))
            }
            ExprKind::All(parts) => format!("(&& {})", flat(parts, true)),
            ExprKind::Any(parts) => format!("(|| {})", flat(parts, false)),
            ExprKind::Condition(parts) => format!("(?: {})", all(&**parts)),
            ExprKind::List(items) => {
                format!(
                    "(list {})",
                    items.iter().map(|(item, o)| format!("{}{} ", mark(*o), ours(item))).collect::<String>()
                )
            }
            ExprKind::Map(entries) => {
                let entry = |(k, v, o): &(Expr, Expr, bool)| format!("{}{}:{} ", mark(*o), ours(k), ours(v));
                format!("(map {})", entries.iter().map(entry).collect::<String>())
            }
        }
    }

    /// Chains in parentheses are flat in the crate's balanced trees once flattened, so they are here.
    fn flat(parts: &[Expr], and: bool) -> String {
        let one = |part: &Expr| match &part.kind {
            ExprKind::All(inner) if and => flat(inner, and),
            ExprKind::Any(inner) if !and => flat(inner, and),
            _ => ours(part),
        };
        parts.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// The crate's tree in the same form.
    fn theirs(expression: &IdedExpr) -> String {
        let all = |parts: &[IdedExpr]| parts.iter().map(theirs).collect::<Vec<_>>().join(" ");
        match &expression.expr {
            Theirs::Literal(literal) => {
                let constant = match literal {
                    LiteralValue::Null => Constant::Null,
                    LiteralValue::Boolean(value) => Constant::Bool(*value.inner()),
                    LiteralValue::Int(value) => Constant::Int(*value.inner()),
                    LiteralValue::UInt(value) => Constant::Uint(*value.inner()),
                    LiteralValue::Double(value) => Constant::Double(*value.inner()),
                    LiteralValue::String(value) => Constant::Text(value.inner().to_owned()),
                    LiteralValue::Bytes(value) => Constant::Bytes(value.inner().to_vec()),
                };
                format!("{constant:?}")
            }
            Theirs::Ident(name) => name.clone(),
            Theirs::Select(select) => format!("(. {} {})", theirs(&select.operand), select.field).replace("(. ", "(."),
            Theirs::Call(call) => {
                let symbol = call.func_name.as_str();
                match (symbol, call.args.as_slice()) {
                    (op::LOGICAL_AND | op::LOGICAL_OR, parts) => {
                        let sign = if symbol == op::LOGICAL_AND { "&&" } else { "||" };
                        format!(
                            "({sign} {})",
                            parts.iter().map(|part| chain(part, symbol)).collect::<Vec<_>>().join(" ")
                        )
                    }
                    (op::LOGICAL_NOT, [inner]) => twice(inner, symbol).unwrap_or(format!("(! {})", theirs(inner))),
                    (op::NEGATE, [inner]) => twice(inner, symbol).unwrap_or(format!("(neg {})", theirs(inner))),
                    (op::CONDITIONAL, parts) => format!("(?: {})", all(parts)),
                    (op::INDEX, [operand, index]) => format!("([ {} {})", theirs(operand), theirs(index)),
                    (op::OPT_INDEX, [operand, index]) => format!("([? {} {})", theirs(operand), theirs(index)),
                    (op::OPT_SELECT, [operand, field]) => {
                        let Theirs::Literal(LiteralValue::String(field)) = &field.expr else { panic!("a field name") };
                        format!("(?.{} {})", theirs(operand), field.inner())
                    }
                    (name, [left, right]) if call.target.is_none() && (name.starts_with('_') || name == op::IN) => {
                        let sign = name.trim_matches(['_', '@']);
                        format!("({sign} {} {})", theirs(left), theirs(right))
                    }
                    (name, arguments) => {
                        let target = call.target.as_ref().map(|target| theirs(target)).unwrap_or_default();
                        format!("({target}#{name} {})", all(arguments))
                    }
                }
            }
            Theirs::List(list) => {
                let item = |(index, item): (usize, &IdedExpr)| {
                    format!("{}{} ", if list.optional_indices.contains(&index) { "?" } else { "" }, theirs(item))
                };
                format!("(list {})", list.elements.iter().enumerate().map(item).collect::<String>())
            }
            Theirs::Map(map) => {
                let entry = |entry: &cel::common::ast::IdedEntryExpr| match &entry.expr {
                    EntryExpr::MapEntry(entry) => format!(
                        "{}{}:{} ",
                        if entry.optional { "?" } else { "" },
                        theirs(&entry.key),
                        theirs(&entry.value)
                    ),
                    EntryExpr::StructField(_) => panic!("no messages here"),
                };
                format!("(map {})", map.entries.iter().map(entry).collect::<String>())
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    /// What stands below a second `!` or `-`.
    fn twice(inner: &IdedExpr, symbol: &str) -> Option<String> {
        match &inner.expr {
            Theirs::Call(call) if call.func_name == symbol => call.args.first().map(theirs),
            _ => None,
        }
    }

    fn chain(expression: &IdedExpr, symbol: &str) -> String {
        match &expression.expr {
            Theirs::Call(call) if call.func_name == symbol => {
                call.args.iter().map(|part| chain(part, symbol)).collect::<Vec<_>>().join(" ")
            }
            _ => theirs(expression),
        }
    }

    fn both(source: &str) -> (Result<String, String>, Result<String, String>) {
        let parser = cel::Env::default().parser().enable_ident_escape_syntax(true);
        let reference = parser.parse(source).map(|tree| theirs(&tree)).map_err(|errors| errors.to_string());
        (parse(source).map(|tree| ours(&tree)).map_err(|(_, message)| message), reference)
    }

    #[test]
    fn documented_and_true_expressions_parse_as_the_crate_cel_parses_them() {
        let truth: serde_json::Value = serde_json::from_str(include_str!("../../../tests/truth/cel.json")).unwrap();
        let truth = truth["expressions"].as_array().unwrap().iter().map(|row| row["expr"].as_str().unwrap().to_owned());
        let examples = super::super::conformance::documented().into_iter().map(|(example, _)| example);
        for source in truth.chain(examples) {
            let (ours, reference) = both(&source);
            assert_eq!(ours, reference, "{source}");
        }
    }

    #[test]
    fn literals_read_as_the_crate_cel_reads_them() {
        for source in [
            r#""a\n\t\"b\x41\u00e9\U0001F600\101""#,
            r"r'\d+'",
            r#"R"\""#,
            r"b'\xff\377a'",
            r"bR'\xff'",
            "'''two\nlines'''",
            "0x1F",
            "0xffu",
            "12u",
            "1.5e-3",
            ".5",
            "1e3",
            "-9223372036854775808",
            "-1.5",
            "- 1",
            "a.b // comment",
            "a.`b-c/d`",
            "1.5.x",
        ] {
            let (ours, reference) = both(source);
            assert_eq!(ours.ok(), reference.ok(), "{source}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_by_both_with_a_plain_reason() {
        for (source, words) in [
            ("a ==", "ends where a value"),
            ("a = b", "compare with `==`"),
            ("a & b", "write `&&`"),
            ("(a", "`)` is missing"),
            ("a)", "not expected"),
            ("a.all(x, x > 1", "`)` is missing"),
            ("[1, 2", "`]` is missing"),
            ("{'a' 1}", "`:` is missing"),
            ("'a", "not closed"),
            ("'a\nb'", "ends with its line"),
            ("for", "reserved"),
            ("a ? b", "`:` is missing"),
            ("9223372036854775808", "too large"),
            ("1a", "runs into a word"),
            ("!-x", "stands where a value"),
            ("a.", "field name"),
            ("f(a,)", "stands where a value"),
            ("a b", "not expected"),
            ("'\\q'", "no escape"),
        ] {
            let (ours, reference) = both(source);
            assert!(ours.as_ref().is_err_and(|message| message.contains(words)), "{source}: {ours:?}");
            assert!(reference.is_err(), "{source}: {reference:?}");
        }
    }

    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a".to_owned()),
            Just("1".to_owned()),
            Just("-2".to_owned()),
            Just("1.5".to_owned()),
            Just("3u".to_owned()),
            Just("'x'".to_owned()),
            Just("true".to_owned()),
            Just("null".to_owned()),
            Just("b'y'".to_owned()),
        ];
        leaf.prop_recursive(6, 40, 3, |inner| {
            let sign = prop::sample::select(vec![
                "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", " in ", " - ",
            ]);
            prop_oneof![
                (inner.clone(), sign, inner.clone()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.clone().prop_map(|a| format!("!({a})")),
                inner.clone().prop_map(|a| format!("-({a})")),
                inner.clone().prop_map(|a| format!("({a}).b")),
                inner.clone().prop_map(|a| format!("({a}).?b")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[?{b}]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).f({b}, x.y)")),
                (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} ? {b} : {c}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, ?{b},]")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
                inner.prop_map(|a| format!("f({a})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn generated_expressions_parse_as_the_crate_cel_parses_them(source in expression()) {
            let (ours, reference) = both(&source);
            prop_assert_eq!(ours.ok(), reference.ok(), "{}", source);
        }

        #[test]
        fn no_text_makes_the_parser_panic(source in "[a-z0-9 .,?:!&|()\\[\\]{}'\"\\\\xrbé`+-]{0,60}") {
            let _ = parse(&source);
        }
    }
}
