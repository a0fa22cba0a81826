//! The small shop of `scripts/demo`: makes its tables, changes them, and shows the SQL of it.
//!
//! `shop DATABASE COMMAND`, where DATABASE is a connection string and COMMAND is `setup`, `changes` or `forever`.
#![allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio_postgres::{Client, NoTls};

/// A shop with customers, and what an administrator prepares: a role and a publication for Headwater. Nothing in the tables knows of it.
const SETUP: &str = "
create table customers (id int primary key, name text not null, email text);
create table orders (order_id int primary key, customer_id int not null references customers, status text not null);
create table order_lines (order_id int references orders, line int, article text not null, quantity int not null, price numeric(10,2) not null, primary key (order_id, line));
insert into customers values (1, 'Ada', 'ada@example.org'), (2, 'Grace', null);
create role headwater login replication password 'headwater-demo';
grant select on customers, orders, order_lines to headwater;
create publication headwater_shop for table customers, orders, order_lines;
";

/// One step a line. `scripts/demo` lists the events that must come of them.
const CHANGES: &[&str] = &[
    "insert into customers values (3, 'Edsger', null)",
    "begin; insert into orders values (100, 1, 'new'); insert into order_lines values (100, 1, 'abacus', 1, 19.90), (100, 2, 'chalk', 12, 0.45); commit",
    "update customers set email = 'grace@example.org' where id = 2",
    "update customers set id = 30 where id = 3",
    "begin; insert into orders values (101, 2, 'new'); rollback",
    "begin; update orders set status = 'paid' where order_id = 100; delete from order_lines where order_id = 100 and line = 2; commit",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, command] = arguments.as_slice() else {
        bail!("usage: shop DATABASE setup|changes|forever")
    };
    let (client, connection) =
        tokio_postgres::connect(database, NoTls).await.context("connect to the shop")?;
    tokio::spawn(connection);
    match command.as_str() {
        "setup" => run(&client, SETUP).await,
        "changes" => {
            for change in CHANGES {
                run(&client, change).await?;
            }
            Ok(())
        }
        "forever" => trade(&client).await,
        other => bail!("{other}: no such command; there are setup, changes and forever"),
    }
}

/// Shows the statements and runs them.
async fn run(client: &Client, sql: &str) -> Result<()> {
    for statement in sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        println!("shop=> {statement};");
    }
    client.batch_execute(sql).await.with_context(|| format!("run {sql}"))
}

/// An order every half second, paid with the next one and gone with the one after that.
async fn trade(client: &Client) -> Result<()> {
    for order in 1_000_u32.. {
        let (paid, gone) = (order - 1, order - 2);
        let quantity = order % 7 + 1;
        run(
            client,
            &format!(
                "begin; insert into orders values ({order}, 1, 'new'); insert into order_lines values ({order}, 1, 'chalk', {quantity}, 0.45); \
                 update orders set status = 'paid' where order_id = {paid}; commit; \
                 begin; delete from order_lines where order_id = {gone}; delete from orders where order_id = {gone}; commit"
            ),
        )
        .await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
