/// A rectangle whose sides run along the axes.
pub struct Rectangle {
    pub width: f64,
    pub height: f64,
}

impl Rectangle {
    /// The area that the rectangle covers.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// The length of its border.
    pub fn perimeter(&self) -> f64 {
        todo!()
    }

    /// Whether its sides are equally long.
    pub fn is_square(&self) -> bool {
        self.width == self.height
    }
}
