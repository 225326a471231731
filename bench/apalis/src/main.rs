//! A worker and a producer of apalis, for the comparison in `bench/queues.py`.
//!
//! Usage: `REDIS_URL=… apalis-worker work CHANNEL` or `apalis-worker push`. The worker publishes
//! the name of each task. The producer reads lines of names, pushes a task for each name, and
//! prints for each line the time before its first push, in nanoseconds since 1970.

use std::io::BufRead;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use redis::aio::MultiplexedConnection;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The interval at which the worker polls; the default is 100 ms. With a shorter one, an idle
/// worker would use even more processor time.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// The number of tasks of one fetch; the default is 10. With it, the interval would limit the rate.
const BATCH_SIZE: usize = 100;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = std::env::var("REDIS_URL")?;
    let config = Config::default().set_poll_interval(POLL_EVERY).set_buffer_size(BATCH_SIZE);
    let mut storage: RedisStorage<String> =
        RedisStorage::new_with_config(apalis_redis::connect(url.as_str()).await?, config);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["work", channel] => {
            let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
            let publisher = Publisher { connection, channel: channel.to_owned() };
            WorkerBuilder::new("bench").data(publisher).backend(storage).build_fn(publish).run().await;
        }
        ["push"] => {
            for line in std::io::stdin().lock().lines() {
                let line = line?;
                let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
                for name in line.split_whitespace() {
                    storage.push(name.to_owned()).await?;
                }
                println!("{started}");
            }
        }
        _ => return Err("usage: apalis-worker work CHANNEL | push".into()),
    }
    Ok(())
}

/// The connection and the channel of the messages that tasks publish.
#[derive(Clone)]
struct Publisher {
    connection: MultiplexedConnection,
    channel: String,
}

async fn publish(name: String, publisher: Data<Publisher>) -> Result<(), Error> {
    if !name.starts_with("rate") {
        let mut connection = publisher.connection.clone();
        let published = redis::cmd("PUBLISH").arg(&publisher.channel).arg(name).exec_async(&mut connection).await;
        published.map_err(|error| Error::from(Box::new(error) as AnyError))?;
    }
    Ok(())
}
