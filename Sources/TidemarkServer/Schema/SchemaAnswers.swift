internal import Synchronization
internal import TidemarkStore

/// The encoded answers that tell schemas, so that asking again costs no more than sending it: a schema of a space never changes under its version,
/// and no space gets the number of another.
final class SchemaAnswers: Sendable {
  /// What is kept together, in bytes. Further answers take the place of all.
  static let bytesMax = 8 * 1024 * 1024

  private struct Name: Hashable {
    var space: SpaceID
    var version: UInt64
  }

  private struct State {
    var answers: [Name: [UInt8]] = [:]
    var bytes = 0
  }

  private let state = Mutex(State())

  /// The answer that tells a schema; `nil` when it is to be made.
  func answer(_ version: UInt64, in space: SpaceID) -> [UInt8]? {
    state.withLock { $0.answers[Name(space: space, version: version)] }
  }

  /// Keeps an answer, unless it is larger than a half of all that may be kept.
  func keep(_ answer: [UInt8], _ version: UInt64, in space: SpaceID) {
    guard answer.count <= SchemaAnswers.bytesMax / 2 else { return }
    state.withLock { state in
      if state.bytes + answer.count > SchemaAnswers.bytesMax { state = State() }
      guard state.answers.updateValue(answer, forKey: Name(space: space, version: version)) == nil else { return }
      state.bytes += answer.count
    }
  }
}
