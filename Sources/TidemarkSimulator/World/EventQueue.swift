/// What is to happen, in order of its time; at one time, in the order in which it was planned.
struct EventQueue<Event> {
  private var events: [(time: Int64, event: Event)] = []

  /// Latest last, so that the next one is taken from the end.
  mutating func add(_ event: Event, at time: Int64) {
    let index = events.firstIndex { $0.time <= time } ?? events.count
    events.insert((time, event), at: index)
  }

  mutating func next() -> (time: Int64, event: Event)? { events.popLast() }

  mutating func removeAll() { events.removeAll() }
}
