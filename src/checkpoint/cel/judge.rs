//! Judging: which objects, cases and items, what the rule says of each, and the evidence.

use serde_json::Value;

use super::ask::{Asked, Asker, Data};
use super::explain::{Finding, Target, explain, fault_words, label, place_of, place_of_fault};
use super::fault::{Fault, FaultKind};
use super::machine::Machine;
use super::node::Node;
use super::place::{At, locate};
use super::program::Program;
use super::rules::Rules;
use super::tracing;
use super::value::Val;
use super::{Cases, Cel, Over};
use crate::checkpoint::evidence::{Evidence, Place};
use crate::checkpoint::matching::shorten;
use crate::checkpoint::outcome::{Blame, Outcome};
use crate::checkpoint::screen::{Screened, Seen};
use crate::checkpoint::select::{Selected, select};
use crate::checkpoint::{Context, Judgement, LOOKS_AT_COMMITS, Trace, fixture};
use crate::submission::yaml::Dialect;

/// Pieces of evidence of one checkpoint; more help nobody.
const MOST: usize = 20;

/// From this many items or objects on it is the learner's data that makes a rule too slow, not the rule.
const MANY: usize = 1000;

/// Judges a submission.
pub fn judge(spec: &Cel, context: &Context<'_>, trace: &mut Trace) -> Judgement {
    let rules = match Rules::compile(spec, context.params) {
        Ok(rules) => rules,
        Err(problems) => {
            let words: Vec<_> = problems.into_iter().map(|(at, message)| format!("{at}: {message}")).collect();
            return Judgement::error(words.join("; "));
        }
    };
    if context.history.is_none() && rules.uses("commit") {
        return Judgement::not_run(LOOKS_AT_COMMITS);
    }
    let cases = match load_cases(spec, context) {
        Ok(cases) => cases,
        Err(judgement) => return judgement,
    };
    let objects = match select(context, &spec.source(), trace) {
        Ok(objects) => objects,
        Err(judgement) => return judgement,
    };
    let data = Data::of(&rules, context);
    let at = match spec.at.as_deref().map(At::parse).transpose() {
        Ok(at) => at,
        Err(message) => return Judgement::error(message),
    };
    let list = Val::list(objects.iter().map(|object| Val::Json(object.value)).collect());
    let machine = Machine::after(context.screened.map(Screened::spent).unwrap_or_default());
    let asker = Asker::new(&rules, &data, list, machine);
    let in_order = objects.iter().map(|object| object.seen(context) == Seen::Holds).collect();
    Sitting { spec, rules: &rules, objects: &objects, in_order, at, asker, evidence: Vec::new(), left_out: 0 }
        .run(cases.as_ref(), trace)
}

/// The cases of a checkpoint.
struct CaseList {
    hidden: bool,
    cases: Vec<Value>,
}

fn load_cases(spec: &Cel, context: &Context<'_>) -> Result<Option<CaseList>, Judgement> {
    match &spec.cases {
        None => Ok(None),
        Some(Cases::Inline(cases)) => {
            let cases = cases.iter().map(|case| case.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
            Ok(Some(CaseList { hidden: false, cases: cases.collect() }))
        }
        Some(Cases::Hidden(path)) => {
            let Some(hidden) = context.hidden else {
                return Err(Judgement::not_run("judged only after a push: it tries hidden cases"));
            };
            fixture::read(hidden, path, Dialect::Yaml12)
                .and_then(|value| cases_of(&value))
                .map(Some)
                .map_err(|message| Judgement::error(format!("`{path}`: {message}")))
        }
    }
}

fn cases_of(value: &Value) -> Result<CaseList, String> {
    match value.as_array() {
        Some(cases) if !cases.is_empty() && cases.iter().all(Value::is_object) => {
            Ok(CaseList { hidden: true, cases: cases.clone() })
        }
        _ => Err("it must hold a list of maps, at least one".to_owned()),
    }
}

/// Why judging stops at once.
struct Stop(Judgement);

struct Sitting<'a> {
    spec: &'a Cel,
    rules: &'a Rules,
    objects: &'a [Selected<'a>],
    /// By object: screened, and the rule is true of it.
    in_order: Vec<bool>,
    at: Option<At>,
    asker: Asker<'a>,
    evidence: Vec<Evidence>,
    left_out: usize,
}

impl<'a> Sitting<'a> {
    fn run(mut self, cases: Option<&'a CaseList>, trace: &mut Trace) -> Judgement {
        let Some(list) = cases else {
            if let Err(Stop(judgement)) = self.pass(None, trace) {
                return judgement;
            }
            return self.judgement(None);
        };
        let mut good = 0_u32;
        for (index, case) in list.cases.iter().enumerate() {
            trace.say(|| format!("case {}: {}", index + 1, describe(case, index)));
            let before = (self.evidence.len(), self.left_out);
            if let Err(Stop(judgement)) = trace.indented(|trace| self.pass(Some(case), trace)) {
                return judgement;
            }
            if before == (self.evidence.len(), self.left_out) {
                good += 1;
            } else {
                self.name_case(before.0, case, index, list.hidden);
            }
        }
        let total = list.cases.len() as u32;
        if list.hidden {
            for evidence in &mut self.evidence {
                evidence.message += &format!(" ({good} of {total} cases hold)");
            }
        }
        self.judgement(Some((good, total)))
    }

    /// Makes the evidence of a failed case speak of it. Of a hidden case only its description is ever shown: neither
    /// values nor the author's message, which may hold its data.
    fn name_case(&mut self, from: usize, case: &Value, index: usize, hidden: bool) {
        let description = describe(case, index);
        if hidden {
            let place = self.evidence.get(from).map(|evidence| evidence.place.clone()).unwrap_or_default();
            self.evidence.truncate(from);
            self.evidence.push(Evidence {
                message: format!("{description}: does not hold"),
                place,
                operator: Some("rule".to_owned()),
                subject: Some(description),
                ..Evidence::default()
            });
            self.left_out = 0;
            return;
        }
        for evidence in self.evidence.iter_mut().skip(from) {
            if self.rules.message.is_none() {
                evidence.message = format!("{description}: {}", evidence.message);
            }
            evidence.subject = Some(match &evidence.subject {
                Some(subject) => format!("{subject}, {description}"),
                None => description.clone(),
            });
        }
    }

    fn judgement(mut self, cases: Option<(u32, u32)>) -> Judgement {
        if self.evidence.is_empty() {
            return Judgement { cases, ..Judgement::pass() };
        }
        if self.left_out > 0 {
            self.evidence.push(Evidence {
                message: format!("and {} more of the same kind", self.left_out),
                operator: Some("rule".to_owned()),
                ..Evidence::default()
            });
        }
        Judgement { cases, ..Judgement::fail(self.evidence) }
    }

    /// One pass over the objects and their items.
    fn pass(&mut self, case: Option<&'a Value>, trace: &mut Trace) -> Result<(), Stop> {
        let rounds: Vec<_> = match self.spec.over {
            Over::Each => self.objects.iter().map(|object| object.value).enumerate().map(Some).collect(),
            Over::Set => vec![None],
        };
        let mut checked = 0_usize;
        let mut faulted = false;
        for object in rounds {
            if object.is_some_and(|(index, _)| self.in_order[index]) {
                checked += 1;
                continue;
            }
            let asked = Asked { object, case, ..Asked::default() };
            let Some(each) = &self.rules.each else {
                checked += 1;
                self.ask(&asked, trace)?;
                continue;
            };
            match self.items(each, &asked)? {
                Some(items) => {
                    checked += items.len();
                    for (index, item) in items.into_iter().enumerate() {
                        self.ask(&Asked { item: Some((index, item)), ..asked.clone() }, trace)?;
                    }
                }
                None => faulted = true,
            }
        }
        if checked == 0 && !faulted {
            self.no_items(case);
        }
        Ok(())
    }

    /// The items of `each`; none when that failed, which is evidence already.
    fn items(&mut self, each: &'a Program, asked: &Asked<'a>) -> Result<Option<Vec<Val<'a>>>, Stop> {
        match self.asker.items(each, asked) {
            Ok(items) => Ok(Some(items)),
            Err(fault) => {
                let target = self.asker.machine.aside(|machine| match fault.node {
                    Some(_) => place_of_fault(machine, &each.root, &fault),
                    None => place_of(machine, &each.root),
                });
                self.faulted(asked, &each.root, &fault, target)?;
                Ok(None)
            }
        }
    }

    fn no_items(&mut self, case: Option<&'a Value>) {
        let Some(each) = &self.rules.each else { return };
        let first = self.objects.first().map(|object| (0, object.value));
        let object = first.filter(|_| self.spec.over == Over::Each);
        let asked = Asked { object, case, ..Asked::default() };
        let globals = self.asker.globals(each, &asked);
        self.asker.machine.load(each, &globals);
        let target = self.asker.machine.aside(|machine| place_of(machine, &each.root));
        let evidence = Evidence {
            message: format!("there is nothing to check: `{}` has no items", each.root),
            place: self.place(target.as_ref(), &asked),
            operator: Some("each".to_owned()),
            subject: self.subject(&asked, &[]),
            ..Evidence::default()
        };
        self.push(evidence);
    }

    /// Asks the rule once and notes the evidence when it does not hold.
    fn ask(&mut self, asked: &Asked<'a>, trace: &mut Trace) -> Result<(), Stop> {
        let rule = &self.rules.rule;
        let asked = &match self.asker.named(rule, asked) {
            Ok(asked) => asked,
            Err((program, fault)) => {
                if trace.is_on() {
                    self.trace_fault(program, asked, trace);
                }
                let target = self.asker.machine.aside(|machine| place_of_fault(machine, &program.root, &fault));
                return self.faulted(asked, &program.root, &fault, target);
            }
        };
        let globals = self.asker.globals(rule, asked);
        let result = self.asker.machine.run(rule, &globals);
        if trace.is_on() {
            self.trace_subject(asked, trace);
            let rules = self.rules;
            for ((name, value), _) in rules.lets.iter().zip(rules.needed(rule)).filter(|(_, needed)| *needed) {
                let globals = self.asker.globals(value, asked);
                self.asker.machine.load(value, &globals);
                self.asker.machine.aside(|machine| tracing::named(machine, name, &value.root, trace));
            }
            self.asker.machine.load(rule, &globals);
            trace.indented(|trace| self.asker.machine.aside(|machine| tracing::trace(machine, &rule.root, trace)));
        }
        match result {
            Ok(Val::Bool(true)) => Ok(()),
            Ok(_) | Err(_) if self.evidence.len() >= MOST && !matches!(&result, Err(fault) if fault.is_fatal()) => {
                self.left_out += 1;
                Ok(())
            }
            Ok(Val::Bool(false)) => {
                self.asker.machine.load(rule, &globals);
                let findings = self.asker.machine.aside(|machine| explain(machine, &rule.root, true));
                let message = self.message(asked);
                self.note(asked, findings, message);
                Ok(())
            }
            Ok(other) => {
                let target = self.asker.machine.aside(|machine| place_of(machine, &rule.root));
                let evidence = Evidence {
                    message: format!("the rule gives {} instead of true or false", other.show()),
                    place: self.place(target.as_ref(), asked),
                    actual: Some(other.to_json()),
                    operator: Some("rule".to_owned()),
                    subject: self.subject(asked, &[]),
                    ..Evidence::default()
                };
                self.push(evidence);
                Ok(())
            }
            Err(fault) => {
                let target = self.asker.machine.aside(|machine| place_of_fault(machine, &rule.root, &fault));
                self.faulted(asked, &rule.root, &fault, target)
            }
        }
    }

    fn trace_subject(&self, asked: &Asked<'a>, trace: &mut Trace) {
        let subject = self.subject(asked, &[]);
        trace.say(|| subject.unwrap_or_else(|| "all objects".to_owned()));
    }

    /// Tells how the value of a name could not be evaluated. The machine still holds its variables.
    fn trace_fault(&mut self, program: &'a Program, asked: &Asked<'a>, trace: &mut Trace) {
        let name = self.rules.lets.iter().find(|(_, value)| std::ptr::eq(value, program)).map(|(name, _)| name);
        let Some(name) = name else { return };
        self.trace_subject(asked, trace);
        self.asker.machine.aside(|machine| tracing::named(machine, name, &program.root, trace));
    }

    /// The author's sentence, if there is one that can be evaluated.
    fn message(&mut self, asked: &Asked<'a>) -> Option<String> {
        let program = self.rules.message.as_ref()?;
        let asked = self.asker.named(program, asked).ok()?;
        let globals = self.asker.globals(program, &asked);
        let value = self.asker.machine.aside(|machine| machine.run(program, &globals)).ok()?;
        value.as_text().map(str::to_owned)
    }

    fn note(&mut self, asked: &Asked<'a>, findings: Vec<Finding<'a>>, message: Option<String>) {
        // The author's sentence stands for all reasons: it is said once, at the first place.
        let count = if message.is_some() { 1 } else { findings.len() };
        for finding in findings.into_iter().take(count) {
            let place = self.place(finding.target.as_ref(), asked);
            let said = match &message {
                Some(message) => message.clone(),
                None if finding.items.is_empty() => finding.message,
                None => format!("in {}: {}", finding.items.join(", "), finding.message),
            };
            let evidence = Evidence {
                message: said,
                place,
                // Beside the author's sentence the values of one comparison only puzzle: they may be those of a `let`.
                expected: finding.expected.filter(|_| message.is_none()),
                actual: finding.actual.filter(|_| message.is_none()).map(|value| shorten(&value)),
                operator: Some(finding.operator),
                subject: self.subject(asked, if message.is_none() { &finding.items } else { &[] }),
            };
            self.push(evidence);
        }
    }

    fn push(&mut self, evidence: Evidence) {
        if self.evidence.len() < MOST { self.evidence.push(evidence) } else { self.left_out += 1 }
    }

    fn faulted(
        &mut self,
        asked: &Asked<'a>,
        root: &'a Node,
        fault: &Fault,
        target: Option<Target<'a>>,
    ) -> Result<(), Stop> {
        let place = self.place(target.as_ref(), asked);
        let yours =
            |message: String| Evidence { message, place, operator: Some("rule".to_owned()), ..Evidence::default() };
        match fault.kind {
            FaultKind::TooLong => Err(Stop(Judgement::fail(vec![yours(fault.message.clone())]))),
            FaultKind::Steps => {
                let longest = self.asker.machine.longest().max(self.objects.len());
                if longest < MANY {
                    return Err(Stop(Judgement::error(format!("{}: simplify it", fault.message))));
                }
                let evidence = yours(format!("{}: your files hold a list or set of {longest} items", fault.message));
                Err(Stop(Judgement {
                    outcome: Outcome::Fail,
                    blame: Some(Blame::YourFiles),
                    evidence: vec![evidence],
                    cases: None,
                }))
            }
            FaultKind::Missing | FaultKind::Invalid | FaultKind::Overload => {
                let subject = self.subject(asked, &[]);
                let evidence = yours(fault_words(root, fault));
                self.push(Evidence { subject, ..evidence });
                Ok(())
            }
        }
    }

    /// The place that the author names, else that of the value, else that of the item, else that of the object.
    fn place(&self, target: Option<&Target<'a>>, asked: &Asked<'a>) -> Place {
        let object = asked.object.map(|(index, _)| index);
        let item = asked.item.as_ref().and_then(|(_, item)| match item {
            Val::Json(value) => locate(self.objects, &Target { value, below: String::new() }, object),
            _ => None,
        });
        let root = object.or((self.objects.len() == 1).then_some(0)).map(|index| (index, String::new()));
        let named = self.at.as_ref().and_then(|at| {
            let (index, pointer) = if at.item { item.clone() } else { root.clone() }?;
            Some((index, format!("{pointer}{}", at.pointer)))
        });
        let found = || target.and_then(|target| locate(self.objects, target, object));
        let place = named.or_else(found).or(item).or(root);
        place.and_then(|(index, pointer)| Some(self.objects.get(index)?.place(&pointer))).unwrap_or_default()
    }

    fn subject(&self, asked: &Asked<'a>, items: &[String]) -> Option<String> {
        let object = asked.object.and_then(|(index, _)| self.objects.get(index)).map(Selected::subject);
        let item = asked.item.as_ref().map(|(index, item)| label(item, *index));
        let parts: Vec<String> = object.into_iter().chain(item).chain(items.iter().cloned()).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// A case in words that a learner may see.
fn describe(case: &Value, index: usize) -> String {
    case.get("describe").and_then(Value::as_str).map_or_else(|| format!("case {}", index + 1), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::checkpoint::Check;
    use crate::checkpoint::testing::judge_both_ways;
    use crate::submission::history::History;
    use crate::submission::tree::Tree;
    use crate::submission::yaml::YamlFiles;

    const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: team-a}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: registry.example/web:1.2.3
          resources:
            limits: {memory: 256Mi}
        - name: side
          image: registry.example/side:latest
          resources:
            limits: {memory: 2Gi}
        - name: bare
          image: registry.example/bare:1.0.0
";

    struct Given {
        files: Tree,
        hidden: Option<Tree>,
        history: Option<History>,
    }

    impl Given {
        fn file(text: &str) -> Self {
            let mut files = Tree::default();
            files.insert_file("web.yaml", text.as_bytes());
            Self { files, hidden: None, history: None }
        }

        fn hidden(mut self, path: &str, text: &str) -> Self {
            self.hidden.get_or_insert_default().insert_file(path, text.as_bytes());
            self
        }

        fn judge(&self, yaml: &str) -> Judgement {
            self.traced(yaml, &mut Trace::off())
        }

        fn traced(&self, yaml: &str, trace: &mut Trace) -> Judgement {
            let cel: Cel = serde_yaml::from_str(yaml).unwrap();
            let params = BTreeMap::from([("team".to_owned(), Value::from("team-a"))]);
            assert_eq!(cel.lint(&params), [], "{yaml}");
            let context = Context {
                files: &self.files,
                base: &self.files,
                yaml: &YamlFiles::new(&self.files),
                hidden: self.hidden.as_ref(),
                params: &params,
                history: self.history.as_ref(),
                environment: crate::checkpoint::Sight::Absent(crate::checkpoint::NOWHERE),
                prefix: "tasks/x/",
                dialect: Dialect::Kubectl,
                screened: None,
            };
            if trace.is_on() { cel.judge(&context, trace) } else { judge_both_ways(&cel, &context) }
        }
    }

    /// `line:column pointer [subject] message` per piece of evidence.
    fn shown(judgement: &Judgement) -> Vec<String> {
        let one = |evidence: &Evidence| {
            let place = &evidence.place;
            format!(
                "{}:{} {} [{}] {}",
                place.line.unwrap_or_default(),
                place.column.unwrap_or_default(),
                place.pointer.as_deref().unwrap_or("-"),
                evidence.subject.as_deref().unwrap_or("-"),
                evidence.message
            )
        };
        std::iter::once(judgement.outcome.word().to_owned()).chain(judgement.evidence.iter().map(one)).collect()
    }

    fn web(yaml: &str) -> Vec<String> {
        shown(&Given::file(WEB).judge(yaml))
    }

    #[test]
    fn a_rule_that_holds_passes() {
        assert_eq!(web("{select: {kind: Deployment}, rule: object.metadata.namespace == params.team}"), ["pass"]);
    }

    #[test]
    fn each_false_conjunct_is_named_with_its_value_and_line() {
        insta::assert_snapshot!(web("rule: object.spec.replicas >= 2 && object.metadata.name == 'web' && object.metadata.namespace == 'prod'").join("\n"), @r#"
        fail
        5:13 /spec/replicas [Deployment team-a/web] `object.spec.replicas` is 1, must be >= 2
        3:34 /metadata/namespace [Deployment team-a/web] `object.metadata.namespace` is 'team-a', must be 'prod'
        "#);
    }

    #[test]
    fn the_item_that_breaks_all_is_named() {
        insta::assert_snapshot!(web("rule: \"object.spec.template.spec.containers.all(c, !c.image.endsWith(':latest'))\"").join("\n"), @r#"
        fail
        14:18 /spec/template/spec/containers/1/image [Deployment team-a/web, 'side'] in 'side': `c.image` is 'registry.example/side:latest', must not end with ':latest'
        "#);
    }

    #[test]
    fn items_of_each_are_judged_one_by_one() {
        let yaml = "each: object.spec.template.spec.containers\n\
                    rule: item.?resources.?limits.?memory.optMap(m, quantity(m).isLessThan(quantity('1Gi'))).orValue(false)";
        insta::assert_snapshot!(web(yaml).join("\n"), @r#"
        fail
        16:30 /spec/template/spec/containers/1/resources/limits/memory [Deployment team-a/web, 'side'] `quantity(item.resources.limits.memory)` is 2Gi, must be less than 1Gi
        17:11 /spec/template/spec/containers/2/resources/limits/memory [Deployment team-a/web, 'bare'] `item.resources.limits.memory` is missing
        "#);
    }

    #[test]
    fn a_missing_key_is_a_failure_at_its_parent() {
        insta::assert_snapshot!(web("rule: object.spec.strategy.type == 'Recreate'").join("\n"), @r#"
        fail
        4:1 /spec/strategy [Deployment team-a/web] the rule could not be evaluated: no such key: strategy in `object.spec.strategy`
        "#);
        insta::assert_snapshot!(web("rule: object.spec.template.spec.containers.all(c, c.resources.limits.memory != '')").join("\n"), @r#"
        fail
        17:11 /spec/template/spec/containers/2/resources [Deployment team-a/web] the rule could not be evaluated: no such key: resources in `c.resources`
        "#);
    }

    #[test]
    fn what_nearly_exists_is_named() {
        let yaml =
            "rule: object.spec.template.spec.containers.exists(c, c.name == 'side' && c.image.endsWith(':1.0.0'))";
        insta::assert_snapshot!(web(yaml).join("\n"), @r#"
        fail
        14:18 /spec/template/spec/containers/1/image [Deployment team-a/web] none of the 3 items of `object.spec.template.spec.containers` fulfils `c.name == 'side' && c.image.endsWith(':1.0.0')`; nearest is 'side': `c.image` is 'registry.example/side:latest', must end with ':1.0.0'
        "#);
    }

    #[test]
    fn the_authors_message_is_said_once_at_the_first_place() {
        let yaml = "{rule: object.spec.replicas >= 2 && object.metadata.name == 'x', message: \"'scale ' + object.metadata.name\", at: spec.template}";
        insta::assert_snapshot!(web(yaml).join("\n"), @r#"
        fail
        6:3 /spec/template [Deployment team-a/web] scale web
        "#);
    }

    #[test]
    fn an_empty_each_proves_nothing() {
        insta::assert_snapshot!(web("{each: 'object.spec.template.spec.containers.filter(c, c.name == \"db\")', rule: 'true'}").join("\n"), @r#"
        fail
        8:7 /spec/template/spec/containers [Deployment team-a/web] there is nothing to check: `object.spec.template.spec.containers.filter(c, c.name == 'db')` has no items
        "#);
        insta::assert_snapshot!(web("{each: object.spec.volumes, rule: 'true'}").join("\n"), @r#"
        fail
        4:1 /spec/volumes [Deployment team-a/web] the rule could not be evaluated: no such key: volumes in `object.spec.volumes`
        "#);
    }

    #[test]
    fn a_rule_over_the_set_sees_all_objects() {
        let mut given = Given::file(WEB);
        given.files.insert_file("svc.yaml", *b"kind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n");
        let rule =
            "over: set\nrule: objects.exists(o, o.kind == 'Service') && objects.all(o, has(o.metadata.namespace))";
        insta::assert_snapshot!(shown(&given.judge(rule)).join("\n"), @r#"
        fail
        2:1 /metadata/namespace [Service web] in Service web: `o.metadata.namespace` is missing
        "#);
        assert_eq!(given.judge("{over: set, rule: \"files['svc.yaml'].contains('selector')\"}").outcome, Outcome::Pass);
    }

    #[test]
    fn cases_are_counted_and_described() {
        let yaml = "cases: [{describe: one replica, n: 1}, {describe: two replicas, n: 2}, {n: 3}]\nrule: object.spec.replicas >= case.n";
        let judgement = Given::file(WEB).judge(yaml);
        assert_eq!(judgement.cases, Some((1, 3)));
        insta::assert_snapshot!(shown(&judgement).join("\n"), @r#"
        fail
        5:13 /spec/replicas [Deployment team-a/web, two replicas] two replicas: `object.spec.replicas` is 1, must be >= `case.n`, which is 2
        5:13 /spec/replicas [Deployment team-a/web, case 3] case 3: `object.spec.replicas` is 1, must be >= `case.n`, which is 3
        "#);
    }

    #[test]
    fn names_stand_for_values_in_the_rule_and_its_message() {
        let names = "let: [{all: object.spec.template.spec.containers}, {bare: '[all.filter(c, !has(c.resources))]'}, \
                     {names: 'bare[0].map(c, c.name)'}, {broken: object.nowhere}]";
        let judged = |rest: &str| web(&format!("{names}\n{rest}"));
        // `broken` is never needed, so it is never evaluated.
        assert_eq!(judged("rule: size(names) == 1"), ["pass"]);
        assert_eq!(
            judged("at: /spec/template\nrule: size(names) == 0\nmessage: \"'no resources: ' + names.join(', ')\""),
            ["fail", "6:3 /spec/template [Deployment team-a/web] no resources: bare"]
        );
        let broken = judged("rule: broken == 1");
        assert!(broken.last().is_some_and(|said| said.contains("no such key: nowhere")), "{broken:?}");
    }

    #[test]
    fn names_see_the_item_and_the_case() {
        let yaml = "each: object.spec.template.spec.containers\ncases: [{tag: latest}, {tag: 9.9.9}]\n\
                    let: [{tag: \"item.image.split(':')[1]\"}, {bad: tag == case.tag}]\nrule: '!bad'";
        let found = web(yaml);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].contains("'side'"), "{found:?}");
    }

    #[test]
    fn a_hidden_case_shows_only_its_description() {
        let given = Given::file(WEB).hidden(
            "hidden/cases.yaml",
            "- {describe: a quiet day, n: 1, secret: xyzzy}\n- {describe: a busy day, n: 20, secret: xyzzy}\n- {n: 30, secret: xyzzy}\n",
        );
        let yaml =
            "cases: hidden/cases.yaml\nrule: object.spec.replicas >= case.n && case.secret != ''\nmessage: case.secret";
        let judgement = given.judge(yaml);
        assert_eq!(judgement.cases, Some((1, 3)));
        insta::assert_snapshot!(shown(&judgement).join("\n"), @r#"
        fail
        5:13 /spec/replicas [a busy day] a busy day: does not hold (1 of 3 cases hold)
        5:13 /spec/replicas [case 3] case 3: does not hold (1 of 3 cases hold)
        "#);
        let everything = serde_json::to_string(&judgement).unwrap();
        assert!(
            !everything.contains("xyzzy") && !everything.contains("20") && !everything.contains("30"),
            "{everything}"
        );
        assert_eq!(Given::file(WEB).judge(yaml).outcome, Outcome::NotRun);
    }

    #[test]
    fn a_rule_about_the_commit_waits_for_one() {
        let yaml = "rule: commit.subject.startsWith('fix')";
        assert_eq!(Given::file(WEB).judge(yaml).outcome, Outcome::NotRun);
        let mut given = Given::file(WEB);
        given.history = Some(History {
            merge_base: None,
            commits: vec![crate::submission::history::CommitFacts {
                id: "0123456789012345678901234567890123456789".parse().unwrap(),
                parents: Vec::new(),
                message: "fix: scale\n\nbody".to_owned(),
                author: "ann".to_owned(),
                time: 0,
                signed: false,
                changed: Vec::new(),
            }],
            truncated: false,
            changed: Vec::new(),
        });
        assert_eq!(given.judge(yaml).outcome, Outcome::Pass);
    }

    #[test]
    fn whose_fault_a_rule_is_that_does_not_finish() {
        let text = |items: usize| format!("items: [{}]\n", vec!["1"; items].join(", "));
        let nested = "rule: object.items.all(a, object.items.all(b, object.items.all(c, a + b + c == 3)))";
        assert_eq!(Given::file(&text(300)).judge(nested).outcome, Outcome::Error);
        assert_eq!(Given::file(&text(MANY - 1)).judge(nested).outcome, Outcome::Error);
        assert_eq!(Given::file(&text(MANY)).judge(nested).blame, Some(Blame::YourFiles));
        let flat = Given::file(&text(10_001)).judge("rule: object.items.all(a, a == 1)");
        assert_eq!((flat.outcome, flat.blame), (Outcome::Fail, Some(Blame::YourFiles)));
        assert_eq!(Given::file(&text(10_000)).judge("rule: object.items.all(a, a == 1)").outcome, Outcome::Pass);
    }

    #[test]
    fn evidence_is_bounded_and_counts_the_rest() {
        let many: String = (0..50).map(|n| format!("---\nkind: ConfigMap\nmetadata: {{name: c{n}}}\n")).collect();
        let judgement = Given::file(&many).judge("rule: has(object.data)");
        assert_eq!(judgement.evidence.len(), MOST + 1);
        assert_eq!(judgement.evidence.last().unwrap().message, "and 30 more of the same kind");
    }

    #[test]
    fn a_trace_tells_how_the_names_of_let_came_about() {
        let traced = |yaml: &str| {
            let mut trace = Trace::on();
            Given::file(WEB).traced(yaml, &mut trace);
            let lines = trace.into_lines().into_iter().skip(2);
            lines.map(|(depth, line)| format!("{}{line}", "  ".repeat(depth))).collect::<Vec<_>>().join("\n")
        };
        let yaml = "let: [{n: object.spec.replicas}, {few: n < 2}, {unused: object.nowhere}]\nrule: '!few'";
        insta::assert_snapshot!(traced(yaml), @r"
        Deployment team-a/web
        let n = object.spec.replicas  →  1
        let few = n < 2  →  true
          n  →  1
          !few  →  false
            few  →  true
        ");
        let broken = traced("let: [{n: object.spec.replicas + object.nowhere}]\nrule: n == 1");
        insta::assert_snapshot!(broken, @r"
        Deployment team-a/web
        let n = object.spec.replicas + object.nowhere  →  error: no such key: nowhere
          object.spec.replicas  →  1
          object.nowhere  →  error: no such key: nowhere
        ");
    }

    #[test]
    fn a_trace_tells_the_value_of_each_sub_expression() {
        let mut trace = Trace::on();
        let yaml =
            "rule: object.spec.replicas >= 2 && object.spec.template.spec.containers.all(c, c.image.contains(':'))";
        Given::file(WEB).traced(yaml, &mut trace);
        let lines: Vec<_> =
            trace.into_lines().into_iter().map(|(depth, line)| format!("{}{line}", "  ".repeat(depth))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        web.yaml:1 Deployment team-a/web: fits
        selected 1 in 1 file
        Deployment team-a/web
          object.spec.replicas >= 2 && object.spec.template.spec.containers.all(c, c.image.contains(':'))  →  false
            object.spec.replicas >= 2  →  false
              object.spec.replicas  →  1
            object.spec.template.spec.containers.all(c, c.image.contains(':'))  →  true
              object.spec.template.spec.containers  →  [{name: 'web', image: 'registry.example/web:1.2.3', resources: {limits: {memory:…
              c = 'web'
                c.image.contains(':')  →  true
                  c.image  →  'registry.example/web:1.2.3'
              c = 'side'
                c.image.contains(':')  →  true
                  c.image  →  'registry.example/side:latest'
              c = 'bare'
                c.image.contains(':')  →  true
                  c.image  →  'registry.example/bare:1.0.0'
        "#);
    }
}
