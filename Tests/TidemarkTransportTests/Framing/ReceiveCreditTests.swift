import Testing

@testable import TidemarkTransport

@Suite struct ReceiveCreditTests {
  @Test func creditHeldByUnreadMessagesDoesNotStarveTheOthers() {
    var credit = ReceiveCredit(100)
    // 70 bytes belong to messages that nobody takes.
    var isGranted = credit.consume(70)
    #expect(isGranted)
    // The other streams live on the 30 that are left, again and again.
    for _ in 0..<10 {
      isGranted = credit.consume(10)
      #expect(isGranted)
      _ = credit.giveBack(10)
      _ = credit.giveBack(0)
    }
  }

  @Test func smallAmountsAreCollected() {
    var credit = ReceiveCredit(100)
    _ = credit.consume(10)
    var announced = credit.giveBack(10)
    #expect(announced == 0)
    _ = credit.consume(45)
    announced = credit.giveBack(45)
    #expect(announced == 55)
    #expect(credit.available == 100)
  }
}
