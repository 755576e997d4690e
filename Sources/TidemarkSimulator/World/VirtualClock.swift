internal import Synchronization
internal import TidemarkCore
internal import TidemarkStore

/// The time of a simulation, in microseconds from its start. It jumps from event to event.
final class VirtualClock: Sendable {
  private let microseconds = Atomic<Int64>(0)

  var now: Int64 { microseconds.load(ordering: .relaxed) }

  func advance(to time: Int64) { microseconds.store(max(time, now), ordering: .relaxed) }

  /// The clock that the store gets. It begins at some day of 2023.
  var storeClock: StoreClock {
    StoreClock(
      now: { Timestamp(rawValue: 1_700_000_000_000_000 + self.now) }, uptimeNanoseconds: { UInt64(self.now) * 1_000 })
  }
}
