internal import TidemarkStore

/// Runs transactions on a connection of its own, again when they met those of other writers.
final class PostgresWriter: StoreWriter {
  /// How often a body is run before its transaction counts as one that cannot be stored now.
  private static let runsMax = 6

  private let transaction: PostgresTransaction

  init(_ session: Session) { transaction = PostgresTransaction(session) }

  func write<Result>(_ body: (any StoreTransaction) throws -> Result) throws -> Result {
    precondition(!transaction.isValid, "a write began inside a write")
    var run = 0
    while true {
      run += 1
      transaction.session.start()
      transaction.begin(isFirstRun: run == 1)
      do {
        let result = try body(transaction)
        transaction.isValid = false
        try transaction.session.commit()
        return result
      } catch {
        transaction.isValid = false
        transaction.session.rollBack()
        guard transaction.session.mayRunAgain, run < PostgresWriter.runsMax else { throw error }
      }
    }
  }

  func idle() throws {}
}
