//! Histories and evidence as lines of text: what is written is read again, and what cannot be read
//! is named.

use ordain_checker::evidence::{
    self, Fault, Item, Letter, LookUp, Planted, Request, Topic, Unreadable,
};
use ordain_checker::history::{self, Line};
use ordain_checker::{Checker, Demands, Place};

use crate::run::{Run, account};
use crate::simulated::{Simulation, Size};

#[test]
fn what_is_written_is_read_again() {
    let mut simulation = Simulation::new(3, Size { operations: 200, clients: 4, accounts: 3 });
    while simulation.step() {}
    let mut run = simulation.run;
    run.rests();
    let place = Place { partition: 1, offset: 900 };
    run.items.push(Item::Request(Request { place, command: None }));
    run.items.push(Item::Planted(Planted { topic: Topic::Requests, place }));
    let topic = Topic::DeadLetters;
    run.items.push(Item::Planted(Planted { topic, place }));
    run.items.push(Item::Unreadable(Unreadable { topic, place }));
    let (topic, code) = ("requests".to_owned(), "UNREADABLE".to_owned());
    run.items.push(Item::Letter(Letter { topic, place, named: None, code }));
    let (aggregate, request) = ("default/account/never".to_owned(), "never".to_owned());
    run.items.push(Item::LookUp(LookUp { aggregate, request, told: None }));
    let (name, kills_planned, kills, pauses_planned, pauses) = ("C5".to_owned(), 1, 1, 0, 0);
    run.items.push(Item::Fault(Fault {
        name,
        kills_planned,
        kills,
        pauses_planned,
        pauses,
        ..Fault::default()
    }));

    let mut history = history::Writer::new(Vec::new());
    run.lines.iter().for_each(|line| history.write(line).unwrap());
    let mut evidence = evidence::Writer::new(Vec::new());
    run.items.iter().for_each(|item| evidence.write(item).unwrap());
    let (history, evidence) = (history.finish().unwrap(), evidence.finish().unwrap());
    let lines: Result<Vec<Line>, _> = history::Reader::new(history.as_slice()).collect();
    let items: Result<Vec<Item>, _> = evidence::Reader::new(evidence.as_slice()).collect();
    let (lines, items) = (lines.unwrap(), items.unwrap());
    assert_eq!((&lines, &items), (&run.lines, &run.items));
    let is_there = |is: fn(&Line) -> bool| lines.iter().any(is);
    assert!(is_there(|line| matches!(line, Line::ViewRead(_))));
    assert!(is_there(|line| matches!(line, Line::StateRead(_))));
    assert!(is_there(|line| matches!(line, Line::Transfer(_))));

    let mut checker = Checker::new(Demands::default());
    lines.into_iter().for_each(|line| checker.take_line(line));
    items.into_iter().for_each(|item| checker.take_item(item));
    let report = checker.finish();
    assert!(report.is_clean(), "{:#?}", report.anomalies);
}

#[test]
fn a_line_says_what_it_says_in_these_words() {
    let mut run = Run::default();
    run.calls(&account("a", "r", "deposit", 5));
    let mut writer = history::Writer::new(Vec::new());
    writer.write(&run.lines[0]).unwrap();
    let written = String::from_utf8(writer.finish().unwrap()).unwrap();
    let expected = r#"{"call":{"call":1,"at":10,"client":1,"attempt":1,"operation":{"type":"account","id":"a","request":"r","command":"deposit","data":"{\"amount\":5}"}}}"#;
    assert_eq!(written, format!("{expected}\n"));
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let read = |text: &str| {
        let lines: Result<Vec<Line>, _> = history::Reader::new(text.as_bytes()).collect();
        lines.map(|lines| lines.len()).map_err(|error| error.to_string())
    };
    let answer = r#"{"answer":{"call":1,"at":10,"status":504}}"#;
    assert_eq!(read(&format!("{answer}\n\n{answer}")), Ok(2));
    let torn = read(&format!("{answer}\n{answer}\n{{\"answer\":{{\"call\":"));
    assert!(torn.clone().is_err_and(|error| error.starts_with("line 3: EOF")), "{torn:?}");
    let unknown = read(&format!("\n{{\"question\":{{}}}}\n{answer}"));
    let says = "line 2: unknown variant `question`";
    assert!(unknown.clone().is_err_and(|error| error.starts_with(says)), "{unknown:?}");
}
