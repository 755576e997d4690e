import Synchronization

/// Shows how far a long work is, on standard error: a line that is written over, on a terminal only.
final class Progress: Sendable {
  private struct State {
    var count: UInt64 = 0
    /// How much of the whole is done, 0 to 1; `nil` when that is not known.
    var fraction: Double?
    var shownAt: ContinuousClock.Instant?
    var isShown = false
  }

  private static let interval = Duration.milliseconds(100)

  private let what: String
  private let isActive: Bool
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  /// - Parameter what: the items, for example `rows`.
  init(_ what: String, _ options: OutputOptions) {
    self.what = what
    isActive = Terminal.canRedraw && !options.screenReader
  }

  /// Notes how far the work is.
  func update(count: UInt64, fraction: Double?) {
    guard isActive else { return }
    state.withLock { state in
      state.count = count
      state.fraction = fraction
      let now = ContinuousClock.now
      if let shownAt = state.shownAt, now - shownAt < Progress.interval { return }
      state.shownAt = now
      state.isShown = true
      StandardStream.error.write("\r\u{1B}[K" + line(state, elapsed: now - start))
      StandardStream.error.flush()
    }
  }

  /// Takes the line away.
  func finish() {
    state.withLock { state in
      guard state.isShown else { return }
      state.isShown = false
      StandardStream.error.write("\r\u{1B}[K")
      StandardStream.error.flush()
    }
  }

  private func line(_ state: State, elapsed: Duration) -> String {
    let seconds = max(elapsed / .seconds(1), 0.001)
    var text = "\(state.count) \(what), \(Int(Double(state.count) / seconds))/s"
    guard let fraction = state.fraction, fraction > 0 else { return text }
    let done = min(fraction, 1)
    let filled = Int(done * 20)
    text = "[\(String(repeating: "#", count: filled))\(String(repeating: ".", count: 20 - filled))] \(Int(done * 100)) %  " + text
    return text + ", \(TimeSpan.text(max(1, (seconds * (1 - done) / done).rounded(.up)))) left"
  }
}

/// Spans of time for people.
enum TimeSpan {
  /// `17 ms`, `1.8 s`, `12 s`, `3 min 20 s` or `2 h 5 min`.
  static func text(_ seconds: Double) -> String {
    if seconds < 0.9995 { return "\(max(1, Int((max(0, seconds) * 1_000).rounded()))) ms" }
    if seconds < 9.95 {
      let tenths = Int((seconds * 10).rounded())
      return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
    let whole = Int(min(seconds, 3_600_000).rounded(.up))
    if whole < 60 { return "\(whole) s" }
    if whole < 3_600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3_600) h \(whole / 60 % 60) min"
  }

  /// Milliseconds with two digits behind the point.
  static func milliseconds(_ duration: Duration) -> String {
    let hundredths = Int((duration / .microseconds(10)).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
