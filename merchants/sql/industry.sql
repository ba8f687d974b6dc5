-- The first industries (merchant category codes, ISO 18245) and gates of products. An institution
-- grades them as its own risk policy says; these begin careful.
INSERT INTO public.merchants_industry (code, name, name_zh, risk_grade, forbidden) VALUES
  ('4121', 'Taxis and limousines', '出租车与网约车', 1, false),
  ('4722', 'Travel agencies', '旅行社', 3, false),
  ('4900', 'Utilities', '水电燃气', 1, false),
  ('5311', 'Department stores', '百货商店', 1, false),
  ('5331', 'Variety stores', '杂货店', 1, false),
  ('5411', 'Groceries and supermarkets', '超市与食品店', 1, false),
  ('5499', 'Tea and special food', '茶叶与特色食品', 1, false),
  ('5541', 'Service stations', '加油站', 1, false),
  ('5651', 'Clothing', '服装', 1, false),
  ('5732', 'Electronics', '电子产品', 2, false),
  ('5812', 'Restaurants', '餐馆', 1, false),
  ('5814', 'Fast food and cafes', '快餐与咖啡', 1, false),
  ('5816', 'Digital games', '网络游戏', 3, false),
  ('5912', 'Pharmacies', '药店', 2, false),
  ('5933', 'Pawn shops', '典当行', 3, false),
  ('5944', 'Jewellery and watches', '珠宝钟表', 3, false),
  ('5967', 'Inbound telephone sales', '电话营销', 3, true),
  ('6051', 'Virtual currency and quasi cash', '虚拟货币与准现金', 3, true),
  ('6211', 'Securities brokers', '证券经纪', 3, true),
  ('6540', 'Stored value', '预付卡与储值', 3, false),
  ('7011', 'Hotels', '酒店', 2, false),
  ('7230', 'Hair and beauty', '美容美发', 2, false),
  ('7273', 'Dating services', '婚恋交友', 3, true),
  ('7997', 'Fitness and clubs', '健身与俱乐部', 2, false),
  ('7995', 'Gambling', '博彩', 3, true),
  ('8011', 'Doctors and clinics', '诊所', 2, false),
  ('8220', 'Schools and colleges', '学校', 1, false),
  ('8299', 'Training courses', '培训机构', 2, false);

INSERT INTO public.merchants_product_gate
  (code, name, name_zh, max_risk_grade, contract_types, needs_filing) VALUES
  ('qr', 'QR code payments', '扫码支付', 3, ARRAY['FUNDS_HELD', 'TECHNICAL'], false),
  ('card', 'Bank card payments', '银行卡收单', 3, ARRAY['FUNDS_HELD', 'TECHNICAL'], false),
  ('online', 'Online payments', '网络支付', 2, ARRAY['FUNDS_HELD', 'TECHNICAL'], false),
  ('t0', 'Same-day settlement (T0)', '当日结算（T0）', 1, ARRAY['FUNDS_HELD'], false),
  ('prepaid', 'Prepaid cards', '预付卡', 2, ARRAY['FUNDS_HELD'], true),
  ('deposit', 'Customer deposits', '客户押金', 2, ARRAY['FUNDS_HELD'], false);
