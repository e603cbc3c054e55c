defmodule Shop.ReportsTest do
  use ExUnit.Case, async: true

  import Shop.Fixtures

  alias Shop.{Money, Reports}

  setup do
    %{
      orders: [
        order("1", "ada", [mug: 2, tea: 1], [:paid]),
        order("2", "joe", [book: 1], [:paid, :shipped]),
        order("3", "ada", [tea: 3], [:paid]),
        order("4", "eve", lamp: 1),
        order("5", "eve", [lamp: 1], [:paid, :cancelled]),
        order("6", "joe", [mug: 9], [:paid, :shipped, :delivered, :returned])
      ]
    }
  end

  test "revenue counts what was paid and kept", %{orders: orders} do
    assert Reports.revenue(orders) == Money.new(2 * 7_90 + 4 * 4_50 + 24_00)
    assert Reports.revenue([]) == Money.zero()
  end

  test "revenue by day", %{orders: orders} do
    assert Reports.revenue_by_day(orders) == [{~D[2024-05-02], Money.new(57_80)}]
  end

  test "revenue by category, the largest first", %{orders: orders} do
    assert Reports.revenue_by_category(orders) ==
             [
               {"books", Money.new(24_00)},
               {"food", Money.new(18_00)},
               {"kitchen", Money.new(15_80)}
             ]
  end

  test "best sellers", %{orders: orders} do
    assert Reports.best_sellers(orders) == [{"TEA-01", 4}, {"MUG-01", 2}, {"BOOK-01", 1}]
    assert Reports.best_sellers(orders, 1) == [{"TEA-01", 4}]
  end

  test "the average sale is rounded to the cent", %{orders: orders} do
    # 57.80 / 3 is 19.2667
    assert Reports.average_sale(orders) == Money.new(19_27)
  end

  test "without a sale there is no average" do
    assert Reports.average_sale([]) == nil
    assert Reports.average_sale([order("1", "ada", tea: 1)]) == nil
  end

  test "returning customers", %{orders: orders} do
    assert Reports.returning_customers(orders) == [{"ada", 2}]
  end
end
