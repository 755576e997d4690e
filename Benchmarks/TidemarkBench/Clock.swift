internal import Glibc

/// The clocks of the loader, in nanoseconds.
enum Clock {
  /// A clock that never jumps.
  static func now() -> UInt64 { read(CLOCK_MONOTONIC) }
  /// The processor time of the calling thread.
  static func threadTime() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }
  /// The wall clock, in microseconds since 1970.
  static func wallMicroseconds() -> Int64 { Int64(clamping: read(CLOCK_REALTIME) / 1_000) }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}

/// Counts latencies in buckets whose width is 1/32 of their value.
struct Histogram: Sendable {
  private var buckets = [UInt64](repeating: 0, count: 64 * 32)
  private(set) var count: UInt64 = 0

  mutating func add(_ nanoseconds: UInt64) {
    buckets[Histogram.index(nanoseconds)] += 1
    count += 1
  }

  mutating func merge(_ other: Histogram) {
    for index in buckets.indices { buckets[index] += other.buckets[index] }
    count += other.count
  }

  /// The latency below which `share` of the calls lie, in microseconds; 0 without calls.
  func percentile(_ share: Double) -> Double {
    let rank = UInt64((Double(count) * share).rounded(.up))
    var seen: UInt64 = 0
    for (index, bucket) in buckets.enumerated() where bucket > 0 {
      seen += bucket
      if seen >= rank { return Double(Histogram.value(index)) / 1_000 }
    }
    return 0
  }

  private static func index(_ value: UInt64) -> Int {
    guard value >= 32 else { return Int(value) }
    let shift = 58 - value.leadingZeroBitCount
    return (shift + 1) * 32 + Int((value >> UInt64(shift)) & 31)
  }

  private static func value(_ index: Int) -> UInt64 {
    guard index >= 32 else { return UInt64(index) }
    return UInt64(32 + index % 32) << UInt64(index / 32 - 1)
  }
}

/// SplitMix64: fast, and the same numbers for the same seed. Not that of TidemarkTesting, which brings Foundation along.
struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
