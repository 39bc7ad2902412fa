//! What runs between starting the servers and stopping them. Nothing is started here.

use std::cell::RefCell;

use anyhow::bail;

use super::*;

#[test]
fn tests_run_on_processes_also_where_there_is_an_engine() {
    let up = |how: How| {
        let engine = how.engine((false, &Set::default()), || panic!("an engine is looked for"));
        assert_eq!(engine?, None);
        Ok(())
    };
    between(up, || Ok(()), (false, || Ok(()))).unwrap();
}

#[test]
fn servers_are_stopped_behind_a_task_unless_they_were_up_before_it() {
    for (were_up, expected) in [(false, &["up", "task", "down"][..]), (true, &["up", "task"])] {
        for fails in [false, true] {
            let did = RefCell::new(Vec::new());
            let up = |_| {
                did.borrow_mut().push("up");
                Ok(())
            };
            let task = || {
                did.borrow_mut().push("task");
                if fails { bail!("the task") } else { Ok(()) }
            };
            let down = || {
                did.borrow_mut().push("down");
                if fails { bail!("stopping") } else { Ok(()) }
            };
            let done = between(up, task, (were_up, down)).map_err(|why| why.to_string());
            assert_eq!(done, if fails { Err("the task".to_owned()) } else { Ok(()) });
            assert_eq!(*did.borrow(), expected);
        }
    }
}
