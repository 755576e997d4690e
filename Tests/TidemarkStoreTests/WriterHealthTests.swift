import Synchronization
import Testing
import TidemarkStore

@Suite struct WriterHealthTests {
  @Test func whatBeganBeforeTheDatabaseWentAwayDoesNotSayThatItIsBack() {
    let told = Mutex<[StoreError.Code?]>([])
    let health = WriterHealth(onTrouble: { error in told.withLock { $0.append(error?.code) } }, onFatal: { _ in })
    let before = health.troubles
    health.noteReached(since: before)
    health.noteTrouble(StoreError(.unavailable, "one lane"))
    health.noteTrouble(StoreError(.outcomeUnknown, "another lane"))
    health.noteReached(since: before)
    #expect(told.withLock { $0 } == [.unavailable])
    let after = health.troubles
    health.noteReached(since: after)
    health.noteReached(since: after)
    #expect(told.withLock { $0 } == [.unavailable, nil])
  }
}
