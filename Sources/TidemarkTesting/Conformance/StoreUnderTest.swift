public import TidemarkCore
public import TidemarkStore

/// An engine in the hands of the conformance suite. Used by one thread, except `makeReader`.
public final class StoreUnderTest {
  /// Opens the data. Called again after everything that had it open was released; an engine without durable data returns the same
  /// store.
  public typealias Open = () throws -> any EntityStore
  /// Damages one row of a log, so that one of its columns does not decode, while the store is closed.
  public typealias Damage = (Revision, SpaceID) throws -> Void

  private let open: Open
  private let damageRow: Damage
  private var opened: (any EntityStore)?
  private var openedWriter: (any StoreWriter)?
  private var openedReader: (any StoreReader)?

  public init(open: @escaping Open, damage: @escaping Damage) {
    self.open = open
    damageRow = damage
  }

  /// A `MemoryStore` under test.
  public static func memory() -> StoreUnderTest {
    let store = MemoryStore()
    return StoreUnderTest(open: { store }, damage: { store.damage($0, in: $1) })
  }

  public func store() throws -> any EntityStore {
    if let opened { return opened }
    let store = try open()
    opened = store
    return store
  }

  /// Writes through the writer, which is opened once.
  public func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result {
    let writer = try openedWriter ?? store().openWriter()
    openedWriter = writer
    return try writer.write(body)
  }

  /// Reads through a reader, which is opened once.
  public func read<Result>(_ body: (any StoreSnapshot) throws -> Result) throws -> Result {
    let reader = try openedReader ?? store().openReader()
    openedReader = reader
    return try reader.read(body)
  }

  /// Lets the writer do what can wait.
  public func idle() throws { try openedWriter?.idle() }

  /// Closes the store. The next use opens it again.
  public func close() {
    openedWriter = nil
    openedReader = nil
    opened = nil
  }

  /// Damages a row. Closes the store for it.
  public func damage(_ revision: Revision, in space: SpaceID) throws {
    close()
    try damageRow(revision, space)
  }
}

/// A sentence of the contract that an engine broke.
public struct ConformanceFailure: Error, CustomStringConvertible {
  public var description: String
}

func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
  guard condition else { throw ConformanceFailure(description: message()) }
}

func expectEqual<Value: Equatable>(_ actual: Value, _ expected: Value, _ what: @autoclosure () -> String) throws {
  guard actual == expected else {
    throw ConformanceFailure(description: "\(what()): got \(actual), expected \(expected)")
  }
}

func expectError(_ code: StoreError.Code, _ what: @autoclosure () -> String, _ body: () throws -> Void) throws {
  do { try body() } catch let error as StoreError {
    return try expect(error.code == code, "\(what()): got the error \(error), expected \(code)")
  }
  throw ConformanceFailure(description: "\(what()): got no error, expected \(code)")
}
