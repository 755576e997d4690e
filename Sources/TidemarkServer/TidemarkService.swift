public import Logging
public import NIOCore
public import TidemarkCore
public import TidemarkStore
public import TidemarkTransport
internal import TidemarkWire

/// Everything behind the port: the writer, the readers and who may call. One a process.
public final class TidemarkService: Sendable {
  /// What a deployment decides about the service.
  public struct Options: Sendable {
    /// Take calls without credentials as a developer who may do everything.
    public var isDevelopment = false
    /// Threads that read the store.
    public var readerThreads = 2
    /// Memory for entities that were read a moment ago, in bytes; 0 for none. Used when the store has one writer.
    public var entityCacheBytesMax = 32 * 1024 * 1024
    public var writer = GroupCommitWriter.Options()
    /// What GetServerInfo calls this node.
    public var nodeName = ""

    public init() {}
  }

  /// The software's version.
  public static let version = "0.1.0"

  let writer: GroupCommitWriter
  let readers: ReaderPool
  /// What needs no reading; `nil` when each read goes to the store.
  let recent: RecentEntities?
  /// What is known of the latest revisions of spaces: woken by commits of this node and, through `poller`, of others.
  public let board: RevisionBoard
  /// Looks for what other nodes did; `nil` on a store that this process alone has open.
  let poller: NodePoller?
  let authenticator: Authenticator
  let clock: StoreClock
  let logger: Logger
  let counters = WriteCounters()
  let schemaAnswers = SchemaAnswers()
  let conflictLog: ConflictLog
  let cursorSeal: CursorSeal
  let startedNanoseconds: UInt64
  let nodeName: String
  /// The connections of the store, as they are now; `nil` when it has none.
  let storeConnections: @Sendable () -> ConnectionCounts?

  /// Starts the service on a store. The space `default` is made when it is not there.
  ///
  /// - Parameters:
  ///   - random: makes salts, ids, epochs and secrets.
  ///   - onFatal: called once when a commit failed in a way that must not be retried; the process should end.
  public init(
    store: any EntityStore, options: Options, clock: StoreClock, random: sending any RandomNumberGenerator, logger: Logger,
    onFatal: @escaping @Sendable (StoreError) -> Void
  ) throws {
    self.clock = clock
    self.logger = logger
    nodeName = options.nodeName
    conflictLog = ConflictLog(logger, clock)
    startedNanoseconds = clock.uptimeNanoseconds()
    // A store without is not kept open by this.
    let connected = store.connections == nil ? nil : store
    storeConnections = { connected?.connections }
    let tokens = try store.openReader().read { try $0.tokens() }
    let authenticator = Authenticator(tokens: tokens, isDevelopment: options.isDevelopment, isAlone: store.hasOneWriter)
    let board = RevisionBoard()
    (self.authenticator, self.board) = (authenticator, board)
    recent =
      store.hasOneWriter && options.entityCacheBytesMax > 0 ? RecentEntities(bytesMax: options.entityCacheBytesMax) : nil
    writer = try GroupCommitWriter(
      store: store, clock: clock, random: random, options: options.writer, recent: recent, board: board,
      decodeSchema: { try Schema.decode($0) },
      onTrouble: { error in
        if let error {
          logger.error("the store cannot be written; calls are told to try again", metadata: ["error": "\(error)"])
        } else {
          logger.notice("the store is written again")
        }
      },
      onFatal: { error in
        logger.critical("a commit failed, the store takes no more writes", metadata: ["error": "\(error)"])
        onFatal(error)
      })
    readers = try ReaderPool(store: store, clock: clock, threads: options.readerThreads)
    poller =
      store.hasOneWriter
      ? nil
      : try NodePoller(
        store: store, clock: clock, board: board, keeper: authenticator, random: { UInt64.random(in: 0...UInt64.max) },
        onTrouble: { error in
          if let error {
            logger.error("what other nodes do cannot be looked up", metadata: ["error": "\(error)"])
          } else {
            logger.notice("what other nodes do is looked up again")
          }
        })
    cursorSeal = CursorSeal(key: try TidemarkService.prepare(writer, at: clock.now()))
  }

  /// Makes what every store has: the space `default`, and the key of cursors.
  ///
  /// - Returns: the key.
  private static func prepare(_ writer: GroupCommitWriter, at now: Timestamp) throws -> [UInt8] {
    let key = Handover<[UInt8]>()
    try administerAndWait(writer) { transaction, random in
      if try transaction.space(named: .default) == nil {
        _ = try transaction.insertSpace(named: .default, at: now, random: &random)
      }
      if let known = try transaction.secret(named: CursorSeal.secretName) { return key.put(known) }
      let made = (0..<CursorSeal.keyBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      try transaction.insertSecret(made, named: CursorSeal.secretName)
      key.put(made)
    }
    guard let key = key.take() else { throw StoreError(.failed, "the key of cursors was not made") }
    return key
  }

  /// Makes the dispatcher of one event loop.
  public func makeHandler(on loop: any EventLoop) -> any CallHandler { LoopDispatcher(service: self, loop: loop) }

  /// Makes a token outside of any call.
  ///
  /// - Returns: the text to send as a bearer token.
  public func createToken(principal: PrincipalName, roleEverywhere: Role) throws -> String {
    guard let text = try createToken(principal, roleEverywhere, isFirst: false) else {
      throw StoreError(.failed, "the token was not made")
    }
    return text
  }

  /// Makes a token when the store has none at all; `nil` when it has one. Of several nodes that start at once, one makes it.
  ///
  /// - Returns: the text to send as a bearer token.
  public func createFirstToken(principal: PrincipalName, roleEverywhere: Role) throws -> String? {
    authenticator.hasTokens ? nil : try createToken(principal, roleEverywhere, isFirst: true)
  }

  private func createToken(_ principal: PrincipalName, _ roleEverywhere: Role, isFirst: Bool) throws -> String? {
    let now = clock.now()
    let made = Handover<(TokenText, TokenRecord)?>()
    try TidemarkService.administerAndWait(writer) { transaction, random in
      // Who looks for tokens to make the first holds this space until its own is there.
      if isFirst, try transaction.space(named: .default) == nil || !transaction.tokens().isEmpty { return made.put(nil) }
      var source = AnyRandom(random)
      let text = TokenText(using: &source)
      random = source.base
      let record = TokenRecord(
        id: text.id, secretHash: text.secretHash, principal: principal, roleEverywhere: roleEverywhere, roles: [:], createdAt: now
      )
      try transaction.insertToken(record)
      made.put((text, record))
    }
    guard let (text, record) = made.take() ?? nil else { return nil }
    authenticator.add(record)
    return text.text
  }

  /// Finishes what is queued and closes the store. Call it when no connection is left.
  public func close() {
    poller?.close()
    writer.close()
    readers.close()
  }

  /// Runs administrative work before the service takes calls; blocks.
  private static func administerAndWait(
    _ writer: GroupCommitWriter,
    _ body: @escaping @Sendable (any StoreTransaction, inout any RandomNumberGenerator) throws -> Void
  ) throws {
    let done = Handover<StoreError?>()
    guard writer.administer(body, completion: { done.put($0) }) else { throw StoreError(.failed, "the writer is closed") }
    if let error = done.waitAndTake() { throw error }
  }
}

extension StoreTransaction {
  /// Adds a space with a fresh epoch.
  func insertSpace(named name: SpaceName, at now: Timestamp, random: inout any RandomNumberGenerator) throws -> SpaceRecord {
    let epoch = Epoch(rawValue: Bytes16(high: random.next(), low: random.next()))
    return try insertSpace(named: name, epoch: epoch, createdAt: now, genesis: Chain.genesis(epoch))
  }
}
